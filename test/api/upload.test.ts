import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { APIError, toFile } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DAY_MS, row, rows } from '../support/batch-world.ts';
import { startFileApi, type FileApi } from '../support/file-api.ts';
import { openTestDatabase, type TestDatabase } from '../support/mongodb.ts';

const MAX_FILE_BYTES = 1_000_000;

let database: TestDatabase;
let api: FileApi;
beforeAll(async () => {
  database = await openTestDatabase();
  api = await startFileApi(database, MAX_FILE_BYTES);
});
afterAll(async () => {
  await api.app.close();
  await database.release();
});

const jsonl = (content: string | Buffer, name = 'input.jsonl') => toFile(Buffer.from(content as string), name);
const upload = async (content: string) => api.client.files.create({ file: await jsonl(content), purpose: 'batch' });
const storedPieces = (): Promise<number> => database.db.collection('bodies.chunks').countDocuments();

/** Sends a form as it is written here, field by field. */
async function sendForm(
  fields: readonly (readonly [string, string | File])[],
): Promise<{ status: number; body: unknown }> {
  const form = new FormData();
  for (const [name, value] of fields) form.append(name, value);
  const response = await fetch(`${api.url}/v1/files`, {
    method: 'POST',
    headers: { authorization: `Bearer ${api.secret}` },
    body: form,
  });
  return { status: response.status, body: await response.json() };
}

it('refuses a file without a name', async () => {
  const part = (head: string, text: string) => `--edge\r\nContent-Disposition: form-data; ${head}\r\n\r\n${text}\r\n`;
  const response = await fetch(`${api.url}/v1/files`, {
    method: 'POST',
    headers: { authorization: `Bearer ${api.secret}`, 'content-type': 'multipart/form-data; boundary=edge' },
    body: `${part('name="purpose"', 'batch')}${part('name="file"\r\nContent-Type: application/octet-stream', '{}')}--edge--\r\n`,
  });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { type: 'invalid_request_error', param: 'file' } });
});

async function failureOf(call: Promise<unknown>): Promise<APIError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof APIError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('POST /v1/files', () => {
  it('answers the official client with the whole file object', async () => {
    const content = rows(3);
    const file = await upload(content);
    const createdAt = Math.floor(api.clock.now() / 1000);
    expect(file).toEqual({
      id: expect.stringMatching(/^file-[0-9a-f]{32}$/) as string,
      object: 'file',
      bytes: Buffer.byteLength(content),
      created_at: createdAt,
      filename: 'input.jsonl',
      purpose: 'batch',
      status: 'processed',
      expires_at: createdAt + (30 * DAY_MS) / 1000,
      status_details: null,
    });
    expect(await api.files.find(file.id)).toMatchObject({ sha256: createHash('sha256').update(content).digest('hex') });
  });

  it('takes an expiry from the official client', async () => {
    const file = await api.client.files.create({
      purpose: 'batch',
      expires_after: { anchor: 'created_at', seconds: 7200 },
      file: await jsonl(row('a')),
    });
    expect(file.expires_at).toBe(file.created_at + 7200);
  });

  it('takes the fields in any order', async () => {
    const file = await jsonl(row('a'));
    expect(
      await sendForm([
        ['purpose', 'batch'],
        ['file', file],
      ]),
    ).toMatchObject({ status: 200 });
    expect(
      await sendForm([
        ['file', file],
        ['purpose', 'batch'],
      ]),
    ).toMatchObject({ status: 200 });
  });

  it('takes lines with missing fields, a BOM, CRLF and any Unicode in the name', async () => {
    const file = await api.client.files.create({ file: await jsonl('\uFEFF{}\r\nx', 'zäh ✓.JSONL'), purpose: 'batch' });
    expect(file.filename).toBe('zäh ✓.JSONL');
    const content = await api.client.files.content(file.id);
    expect(content.headers.get('content-disposition')).toBe("attachment; filename*=UTF-8''z%C3%A4h%20%E2%9C%93.JSONL");
  });

  it('takes a file of exactly the limit', async () => {
    const line = row('a');
    const content = `${line}${' '.repeat(MAX_FILE_BYTES - line.length)}`;
    expect(await upload(content)).toMatchObject({ bytes: MAX_FILE_BYTES });
  });

  it.each([
    ['one byte too many', MAX_FILE_BYTES + 1],
    ['far too many bytes', 5 * MAX_FILE_BYTES],
  ])('refuses %s, and the official client gets to read why', async (_what, size) => {
    const before = await storedPieces();
    const failure = await failureOf(upload(`${row('a')}\n${'x'.repeat(size - row('a').length - 1)}`));
    expect(failure).toMatchObject({ status: 400, param: 'file', type: 'invalid_request_error' });
    expect(failure.message).toContain('too large');
    expect(await storedPieces()).toBe(before);
  });

  it('refuses more bytes than the limit also when their number is not told before', async () => {
    const before = await storedPieces();
    const boundary = 'xyz';
    const status = await new Promise((resolve, reject) => {
      const sending = httpRequest(`${api.url}/v1/files`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${api.secret}`,
          'content-type': `multipart/form-data; boundary=${boundary}`,
          'transfer-encoding': 'chunked',
        },
      });
      sending.on('response', (response) => resolve(response.resume().statusCode));
      sending.on('error', reject);
      sending.write(`--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n{}\n`);
      for (let index = 0; index < 20; index++) sending.write('y'.repeat(100_000));
      sending.end(`\r\n--${boundary}--\r\n`);
    });
    expect(status).toBe(400);
    expect(await storedPieces()).toBe(before);
  });

  const file = (content: string, name = 'input.jsonl'): File => new File([content], name);
  const batch = ['purpose', 'batch'] as const;
  it.each([
    ['another extension', [batch, ['file', file('{}', 'a.txt')]], null, 'file'],
    ['control characters in the name', [batch, ['file', file('{}', 'a\u0007.jsonl')]], 'invalid_value', 'file'],
    [
      'a mark that turns the direction of the name',
      [batch, ['file', file('{}', '\u202Ea.jsonl')]],
      'invalid_value',
      'file',
    ],
    ['too long a name', [batch, ['file', file('{}', `${'a'.repeat(250)}.jsonl`)]], 'invalid_value', 'file'],
    ['an empty file', [batch, ['file', file('')]], null, 'file'],
    ['a first line that is no JSON', [batch, ['file', file('nope\n{}')]], null, 'file'],
    ['a blank first line', [batch, ['file', file('\n{}')]], null, 'file'],
    ['no file', [batch], 'missing_required_parameter', 'file'],
    ['a file that is only text', [batch, ['file', '{}']], 'missing_required_parameter', 'file'],
    ['no purpose', [['file', file('{}')]], 'missing_required_parameter', 'purpose'],
    [
      'another purpose',
      [
        ['file', file('{}')],
        ['purpose', 'assistants'],
      ],
      'invalid_value',
      'purpose',
    ],
    ['a purpose given twice', [batch, batch, ['file', file('{}')]], 'invalid_value', 'purpose'],
    ['two files', [batch, ['file', file('{}')], ['file', file('{}')]], null, null],
    ['a file in another field', [batch, ['upload', file('{}')]], null, 'upload'],
    [
      'an expiry without seconds',
      [batch, ['expires_after[anchor]', 'created_at'], ['file', file('{}')]],
      'missing_required_parameter',
      'expires_after[seconds]',
    ],
    [
      'too short an expiry',
      [batch, ['expires_after[anchor]', 'created_at'], ['expires_after[seconds]', '3599'], ['file', file('{}')]],
      'invalid_value',
      'expires_after[seconds]',
    ],
    [
      'too long an expiry',
      [batch, ['expires_after[anchor]', 'created_at'], ['expires_after[seconds]', '2592001'], ['file', file('{}')]],
      'invalid_value',
      'expires_after[seconds]',
    ],
    [
      'an expiry that is no number',
      [batch, ['expires_after[anchor]', 'created_at'], ['expires_after[seconds]', '1e4'], ['file', file('{}')]],
      'invalid_type',
      'expires_after[seconds]',
    ],
    [
      'another anchor',
      [batch, ['expires_after[anchor]', 'last_active_at'], ['expires_after[seconds]', '3600'], ['file', file('{}')]],
      'invalid_value',
      'expires_after[anchor]',
    ],
  ] as const)('refuses %s and keeps no bytes', async (_what, fields, code, param) => {
    const before = await storedPieces();
    const { status, body } = await sendForm(fields);
    expect(body).toMatchObject({ error: { type: 'invalid_request_error', code, param } });
    expect(status).toBe(400);
    expect(await storedPieces()).toBe(before);
  });

  it('says what is wrong with an extension in the words of OpenAI', async () => {
    const { body } = await sendForm([batch, ['file', file('{}', 'a.txt')]]);
    expect(body).toMatchObject({ error: { message: 'Invalid file format for Batch API. Must be .jsonl' } });
  });

  it('refuses a body that is no form', async () => {
    const headers = { authorization: `Bearer ${api.secret}` };
    const response = await api.app.inject({ method: 'POST', url: '/v1/files', headers, payload: { purpose: 'batch' } });
    expect(response.statusCode).toBe(415);
    expect(response.json()).toMatchObject({ error: { code: 'unsupported_media_type' } });
  });

  it.each([
    [
      'that ends in the middle of the file',
      '--b\r\ncontent-disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n{}',
    ],
    ['without any part', 'nothing'],
  ])('refuses a form %s and keeps no bytes', async (_what, payload) => {
    const before = await storedPieces();
    const response = await api.app.inject({
      method: 'POST',
      url: '/v1/files',
      headers: { authorization: `Bearer ${api.secret}`, 'content-type': 'multipart/form-data; boundary=b' },
      payload,
    });
    expect(response.statusCode).toBe(400);
    expect(await storedPieces()).toBe(before);
  });

  it('keeps nothing of an upload whose connection is lost', async () => {
    const before = await storedPieces();
    const ended = new Promise<void>((resolve) => {
      api.app.server.once('request', (incoming: NodeJS.EventEmitter) => incoming.once('close', () => resolve()));
    });
    const sending = httpRequest(`${api.url}/v1/files`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${api.secret}`,
        'content-type': 'multipart/form-data; boundary=b',
        'content-length': '900000',
      },
    });
    sending.on('error', () => {});
    sending.write('--b\r\ncontent-disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n');
    await new Promise((resolve) => sending.write('z'.repeat(700_000), resolve));
    await expect.poll(storedPieces).toBeGreaterThan(before);
    sending.destroy();
    await ended;
    await expect.poll(storedPieces).toBe(before);
  });

  it('cuts off an upload that goes on without end after it was refused', async () => {
    const sending = httpRequest(`${api.url}/v1/files`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${api.secret}`,
        'content-type': 'multipart/form-data; boundary=b',
        'transfer-encoding': 'chunked',
      },
    });
    const cut = new Promise<void>((resolve) => sending.on('close', resolve));
    const status = new Promise((resolve) => {
      sending.on('response', (response) => {
        response.resume();
        resolve(response.statusCode);
      });
    });
    sending.on('error', () => {});
    sending.write('--b\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\n');
    const piece = 'z'.repeat(100_000);
    // With time to read the answer: a write to a connection that is cut loses what was not read.
    const sendMore = (): void => {
      if (!sending.destroyed) sending.write(piece, () => void setTimeout(sendMore, 5));
    };
    sendMore();
    expect(await status).toBe(400);
    await cut;
  });
});
