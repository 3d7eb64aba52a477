import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import OpenAI, { toFile } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DAY_MS, row, rows } from '../../support/batch-world.ts';
import { startFileApi, type FileApi } from '../../support/file-api.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';

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

async function failureOf(call: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> {
  try {
    await call;
  } catch (error) {
    if (error instanceof OpenAI.APIError) return error;
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
      sending.on('response', (response) => {
        response.resume();
        resolve(response.statusCode);
      });
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
    ['another extension', [batch, ['file', file('{}', 'a.csv')]], null, 'file'],
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
});

describe('the reads of files', () => {
  it('give the official client the list, the file and its bytes', async () => {
    const content = rows(2000);
    const file = await upload(content);
    expect(await api.client.files.retrieve(file.id)).toEqual(file);
    const response = await api.client.files.content(file.id);
    expect(response.headers.get('content-length')).toBe(String(file.bytes));
    expect(await response.text()).toBe(content);
    const page = await api.client.files.list();
    expect(page.data.map(({ id }) => id)).toContain(file.id);
  });

  it('page in both directions', async () => {
    const page = async (order: 'asc' | 'desc'): Promise<string[]> => {
      const ids: string[] = [];
      for await (const { id } of api.client.files.list({ limit: 2, order })) ids.push(id);
      return ids;
    };
    const ascending = await page('asc');
    expect(ascending.length).toBeGreaterThan(4);
    expect(new Set(ascending).size).toBe(ascending.length);
    expect(await page('desc')).toEqual(ascending.toReversed());
  });

  it('have first and last id, and whether there is more', async () => {
    const headers = { authorization: `Bearer ${api.secret}` };
    const list = async (query: string) =>
      (await api.app.inject({ url: `/v1/files?${query}`, headers })).json<unknown>();
    const all = await api.client.files.list();
    const [first, second] = all.data;
    expect(await list('limit=2')).toMatchObject({
      object: 'list',
      first_id: first?.id,
      last_id: second?.id,
      has_more: true,
    });
    expect(await list('purpose=batch_output')).toEqual({
      object: 'list',
      data: [],
      first_id: null,
      last_id: null,
      has_more: false,
    });
  });

  it.each([
    ['limit=0', 'invalid_value', 'limit'],
    ['limit=10001', 'invalid_value', 'limit'],
    ['limit=ten', 'invalid_type', 'limit'],
    ['order=up', 'invalid_value', 'order'],
    ['after=file-none', 'invalid_value', 'after'],
    ['after=a&after=b', 'invalid_type', 'after'],
  ])('refuse ?%s', async (query, code, param) => {
    const response = await api.app.inject({
      url: `/v1/files?${query}`,
      headers: { authorization: `Bearer ${api.secret}` },
    });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ error: { code, param } });
  });

  it('show another key nothing', async () => {
    const file = await upload(row('a'));
    for (const call of [
      api.otherClient.files.retrieve(file.id),
      api.otherClient.files.content(file.id),
      api.otherClient.files.delete(file.id),
    ]) {
      expect(await failureOf(call)).toMatchObject({ status: 404, type: 'invalid_request_error', code: null });
    }
    expect((await api.otherClient.files.list()).data).toEqual([]);
    expect(await failureOf(api.otherClient.files.list({ after: file.id }))).toMatchObject({ status: 400 });
    expect(await api.client.files.retrieve(file.id)).toEqual(file);
  });

  it('do not show a file past its end', async () => {
    const file = await api.client.files.create({
      purpose: 'batch',
      expires_after: { anchor: 'created_at', seconds: 3600 },
      file: await jsonl(row('a')),
    });
    api.clock.advance(3_600_000);
    expect(await failureOf(api.client.files.retrieve(file.id))).toMatchObject({ status: 404 });
    expect(await failureOf(api.client.files.content(file.id))).toMatchObject({ status: 404 });
    expect((await api.client.files.list()).data.map(({ id }) => id)).not.toContain(file.id);
  });
});

describe('DELETE /v1/files/{id}', () => {
  it('removes file and bytes', async () => {
    const file = await upload(row('a'));
    expect(await api.client.files.delete(file.id)).toEqual({ id: file.id, object: 'file', deleted: true });
    expect(await failureOf(api.client.files.retrieve(file.id))).toMatchObject({ status: 404 });
    expect(await failureOf(api.client.files.delete(file.id))).toMatchObject({ status: 404 });
    expect(await api.files.find(file.id)).toMatchObject({ bytesRemoved: true });
  });

  it('leaves the bytes to a batch that works on them', async () => {
    const file = await upload(row('a'));
    await api.putBatch(file.id, { ownerId: api.ownerId, status: 'in_progress' });
    await api.client.files.delete(file.id);
    expect(await failureOf(api.client.files.content(file.id))).toMatchObject({ status: 404 });
    expect(await api.readFile(file.id)).toBe(row('a'));
  });
});
