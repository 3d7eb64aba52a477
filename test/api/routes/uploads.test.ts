import { createHash } from 'node:crypto';
import { APIError, toFile } from 'openai';
import type { Upload } from 'openai/resources/uploads/uploads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endUploads } from '../../../store/finish-upload.ts';
import { DAY_MS, row, rows } from '../../support/batch-world.ts';
import { startFileApi, type FileApi } from '../../support/file-api.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';

const MAX_FILE_BYTES = 1_000_000;
const MAX_PART_BYTES = 400_000;
const HOUR_MS = 3_600_000;

let database: TestDatabase;
let api: FileApi;
beforeAll(async () => {
  database = await openTestDatabase();
  api = await startFileApi(database, MAX_FILE_BYTES, MAX_PART_BYTES);
});
afterAll(async () => {
  await api.app.close();
  await database.release();
});

const storedPieces = (): Promise<number> => database.db.collection('bodies.chunks').countDocuments();
const piecesOf = (bodyId = '') => database.db.collection('bodies.chunks').countDocuments({ files_id: bodyId });
const leftParts = (uploadId: string) => database.db.collection('upload_parts').countDocuments({ uploadId });
const create = (bytes: number, filename = 'large.jsonl') =>
  api.client.uploads.create({ filename, purpose: 'batch', bytes, mime_type: 'application/jsonl' });
const addPart = async (uploadId: string, content: string | Buffer) =>
  api.client.uploads.parts.create(uploadId, { data: await toFile(Buffer.from(content as string), 'part') });

async function failureOf(call: Promise<unknown>): Promise<APIError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof APIError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

/** An upload with these parts, in this order. */
async function uploadOf(...parts: readonly string[]): Promise<{ upload: Upload; partIds: string[] }> {
  const upload = await create(Buffer.byteLength(parts.join('')));
  const partIds: string[] = [];
  for (const part of parts) partIds.push((await addPart(upload.id, part)).id);
  return { upload, partIds };
}

describe('/v1/uploads', () => {
  it('makes a file of parts through the official client, in the order that is asked for', async () => {
    const content = rows(4000);
    const upload = await create(Buffer.byteLength(content));
    const createdAt = Math.floor(api.clock.now() / 1000);
    expect(upload).toEqual({
      id: expect.stringMatching(/^upload_[0-9a-f]{32}$/) as string,
      object: 'upload',
      bytes: Buffer.byteLength(content),
      created_at: createdAt,
      expires_at: createdAt + 3600,
      filename: 'large.jsonl',
      purpose: 'batch',
      status: 'pending',
      file: null,
    });
    const [first, second, third] = [content.slice(0, 300_001), content.slice(300_001, 500_000), content.slice(500_000)];
    const late = await addPart(upload.id, third);
    expect(late).toEqual({
      id: expect.stringMatching(/^part_[0-9a-f]{32}$/) as string,
      object: 'upload.part',
      created_at: createdAt,
      upload_id: upload.id,
    });
    const unused = await addPart(upload.id, 'sent twice');
    const [early, middle] = await Promise.all([addPart(upload.id, first), addPart(upload.id, second)]);
    const asked = {
      part_ids: [early.id, middle.id, late.id],
      md5: createHash('md5').update(content).digest('hex').toUpperCase(),
    };
    const done = await api.client.uploads.complete(upload.id, asked);
    expect(done).toMatchObject({
      id: upload.id,
      status: 'completed',
      file: { object: 'file', filename: 'large.jsonl' },
    });
    const fileId = done.file?.id ?? '';
    expect(await api.client.files.retrieve(fileId)).toEqual(done.file);
    expect(await (await api.client.files.content(fileId)).text()).toBe(content);
    expect(await api.files.find(fileId)).toMatchObject({
      bytes: Buffer.byteLength(content),
      sha256: createHash('sha256').update(content).digest('hex'),
    });
    expect(await api.client.uploads.complete(upload.id, asked)).toEqual(done);
    expect(await leftParts(upload.id)).toBe(0);
    expect(await database.db.collection('bodies.files').countDocuments({ _id: unused.id as never })).toBe(0);
  });

  it('validates the file like any other, and its deletion takes the parts along', async () => {
    const before = await storedPieces();
    const { upload, partIds } = await uploadOf(`${row('a')}\n`, `${row('b')}\n`);
    const { file } = await api.client.uploads.complete(upload.id, { part_ids: partIds });
    const batch = await api.putBatch(file?.id ?? '', { ownerId: api.ownerId });
    expect(await api.validateBatch({ batchId: batch._id })).toEqual({ valid: true, chunks: 1 });
    expect((await api.read(batch._id)).counts.total).toBe(2);
    await api.finalizeBatch({ batchId: batch._id, reason: 'cancelled' });
    const withResults = await storedPieces();
    await api.client.files.delete(file?.id ?? '');
    expect(await storedPieces()).toBe(withResults - 2);
    expect(withResults - 2).toBeGreaterThanOrEqual(before);
  });

  it('gives the file the life that was asked for', async () => {
    const upload = await api.client.uploads.create({
      filename: 'a.jsonl',
      purpose: 'batch',
      bytes: 2,
      mime_type: 'text/jsonl',
      expires_after: { anchor: 'created_at', seconds: 7200 },
    });
    const part = await addPart(upload.id, '{}');
    const { file } = await api.client.uploads.complete(upload.id, { part_ids: [part.id] });
    expect(file?.expires_at).toBe((file?.created_at ?? 0) + 7200);
  });

  it('makes one file of many identical calls, and none of one in another order', async () => {
    const { upload, partIds } = await uploadOf('{}\n', '{}\n\n');
    const calls = await Promise.all(
      Array.from({ length: 12 }, () => api.client.uploads.complete(upload.id, { part_ids: partIds })),
    );
    expect(new Set(calls.map(({ file }) => file?.id)).size).toBe(1);
    const other = await failureOf(api.client.uploads.complete(upload.id, { part_ids: partIds.toReversed() }));
    expect(other).toMatchObject({ status: 409 });
    expect(await (await api.client.files.content(calls[0]?.file?.id ?? '')).text()).toBe('{}\n{}\n\n');
  });

  it('lets one of two orders win, and the other is told so', async () => {
    const { upload, partIds } = await uploadOf('{"a":1}\n', '{"b":2}\n');
    const orders = [partIds, partIds.toReversed()];
    const ends = await Promise.allSettled(
      orders.map((ids) => api.client.uploads.complete(upload.id, { part_ids: ids })),
    );
    const won = ends.filter((end) => end.status === 'fulfilled');
    expect(won).toHaveLength(1);
    const lost = ends.find((end) => end.status === 'rejected');
    expect(lost?.reason).toMatchObject({ status: 409 });
  });

  it('does not bring a file back that was deleted, and repeats the upload without it', async () => {
    const { upload, partIds } = await uploadOf('{}');
    const { file } = await api.client.uploads.complete(upload.id, { part_ids: partIds });
    await api.client.files.delete(file?.id ?? '');
    const again = await api.client.uploads.complete(upload.id, { part_ids: partIds });
    expect(again).toMatchObject({ status: 'completed', file: null });
  });

  it.each([
    ['too few bytes', ['{}'], 3, {}, 'part_ids', 'announced'],
    ['too many bytes', ['{}', '{}'], 3, {}, 'part_ids', 'announced'],
    ['another checksum', ['{}'], 2, { md5: '0'.repeat(32) }, 'md5', 'checksum'],
    ['a first line that is no JSON', ['no'], 2, {}, 'part_ids', 'first line'],
  ] as const)('refuses %s, and the upload goes on', async (_what, parts, bytes, more, param, words) => {
    const upload = await create(bytes);
    const partIds: string[] = [];
    for (const part of parts) partIds.push((await addPart(upload.id, part)).id);
    const failure = await failureOf(api.client.uploads.complete(upload.id, { part_ids: partIds, ...more }));
    expect(failure).toMatchObject({ status: 400, param, type: 'invalid_request_error' });
    expect(failure.message).toContain(words);
    const whole = await addPart(upload.id, `{}${' '.repeat(bytes - 2)}`);
    expect(await api.client.uploads.complete(upload.id, { part_ids: [whole.id] })).toMatchObject({
      status: 'completed',
    });
  });

  it('refuses what is not in order, with the parameter at fault', async () => {
    expect(await failureOf(create(0))).toMatchObject({ status: 400, code: 'invalid_value', param: 'bytes' });
    expect(await failureOf(create(5, 'a.txt'))).toMatchObject({ status: 400, code: null, param: 'filename' });
    const upload = await create(5);
    const { partIds: ofAnother } = await uploadOf('{}');
    for (const partIds of [[], ['part_none'], ofAnother]) {
      const failure = await failureOf(api.client.uploads.complete(upload.id, { part_ids: partIds }));
      expect(failure).toMatchObject({ status: 400, code: 'invalid_value', param: 'part_ids' });
    }
  });

  it.each([
    ['too large', Buffer.alloc(MAX_PART_BYTES + 1, 'x'), 'too large'],
    ['empty', Buffer.alloc(0), 'empty'],
  ])('refuses a part that is %s, and keeps no byte of it', async (_what, content, words) => {
    const upload = await create(MAX_FILE_BYTES);
    const before = await storedPieces();
    const failure = await failureOf(addPart(upload.id, content));
    expect(failure).toMatchObject({ status: 400, param: 'data' });
    expect(failure.message).toContain(words);
    expect(await storedPieces()).toBe(before);
    expect(await leftParts(upload.id)).toBe(0);
  });

  it('refuses parts without end, however many are sent at once', async () => {
    const upload = await create(MAX_FILE_BYTES);
    const sent = await Promise.allSettled(
      Array.from({ length: 7 }, () => addPart(upload.id, Buffer.alloc(MAX_PART_BYTES, 'x'))),
    );
    expect(sent.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
    expect(await leftParts(upload.id)).toBe(5);
    await api.client.uploads.cancel(upload.id);
  });

  it.each([
    ['nothing', []],
    ['no file', [['data', '{}']]],
    ['a file in another field', [['file', new File(['{}'], 'a')]]],
    [
      'two files',
      [
        ['data', new File(['{}'], 'a')],
        ['data', new File(['{}'], 'b')],
      ],
    ],
  ] as const)('refuses a form with %s and keeps no byte of it', async (_what, fields) => {
    const upload = await create(5);
    const before = await storedPieces();
    const form = new FormData();
    for (const [name, value] of fields) form.append(name, value);
    const response = await fetch(`${api.url}/v1/uploads/${upload.id}/parts`, {
      method: 'POST',
      headers: { authorization: `Bearer ${api.secret}` },
      body: form,
    });
    expect(response.status).toBe(400);
    expect(await storedPieces()).toBe(before);
    expect(await leftParts(upload.id)).toBe(0);
  });

  it('cancels, takes the parts away, says the same again, and takes nothing after it', async () => {
    const before = await storedPieces();
    const { upload, partIds } = await uploadOf('{}');
    const cancelled = await api.client.uploads.cancel(upload.id);
    expect(cancelled).toEqual({ ...upload, status: 'cancelled' });
    expect(await api.client.uploads.cancel(upload.id)).toEqual(cancelled);
    expect(await storedPieces()).toBe(before);
    expect(await failureOf(addPart(upload.id, '{}'))).toMatchObject({ status: 409 });
    const completion = api.client.uploads.complete(upload.id, { part_ids: partIds });
    expect(await failureOf(completion)).toMatchObject({ status: 409 });
    expect(await storedPieces()).toBe(before);
  });

  it('does not cancel what is completed', async () => {
    const { upload, partIds } = await uploadOf('{}');
    await api.client.uploads.complete(upload.id, { part_ids: partIds });
    const failure = await failureOf(api.client.uploads.cancel(upload.id));
    expect(failure).toMatchObject({ status: 409 });
    expect(failure.message).toContain("'completed'");
  });

  it('shows another key nothing', async () => {
    const { upload, partIds } = await uploadOf('{}');
    for (const call of [
      async () => api.otherClient.uploads.parts.create(upload.id, { data: await toFile(Buffer.from('{}'), 'p') }),
      () => api.otherClient.uploads.complete(upload.id, { part_ids: partIds }),
      () => api.otherClient.uploads.cancel(upload.id),
    ]) {
      expect(await failureOf(call())).toMatchObject({ status: 404, type: 'invalid_request_error', code: null });
    }
    expect(await api.client.uploads.complete(upload.id, { part_ids: partIds })).toMatchObject({ status: 'completed' });
  });
});

describe('an upload that nobody comes back for', () => {
  it('expires after an hour, before anybody has cleaned up, and leaves no byte then', async () => {
    const { upload, partIds } = await uploadOf('{}');
    expect(await piecesOf(partIds[0])).toBe(1);
    api.clock.advance(HOUR_MS);
    expect(await failureOf(addPart(upload.id, '{}'))).toMatchObject({ status: 409 });
    const completion = api.client.uploads.complete(upload.id, { part_ids: partIds });
    expect(await failureOf(completion)).toMatchObject({ status: 409 });
    await endUploads(api, api.clock.now(), 100);
    expect(await piecesOf(partIds[0])).toBe(0);
    expect(await api.uploads.find(upload.id)).toMatchObject({ status: 'expired', tidied: true });
    api.clock.advance(2 * DAY_MS);
    await api.uploads.removeTidied(api.clock.now() - DAY_MS, 100);
    expect(await api.uploads.find(upload.id)).toBeNull();
  });

  it('becomes its file when the process died after the decision', async () => {
    const { upload, partIds } = await uploadOf('{"a":', '1}\n');
    const parts = [
      { bodyId: partIds[0] ?? '', bytes: 5 },
      { bodyId: partIds[1] ?? '', bytes: 3 },
    ];
    await api.uploads.beginCompletion(upload.id, api.clock.now(), { parts, at: api.clock.now(), sha256: 'f' });
    expect(await failureOf(api.client.uploads.cancel(upload.id))).toMatchObject({ status: 409 });
    api.clock.advance(HOUR_MS);
    await endUploads(api, api.clock.now(), 100);
    const { file } = await api.client.uploads.complete(upload.id, { part_ids: partIds });
    expect(await (await api.client.files.content(file?.id ?? '')).text()).toBe('{"a":1}\n');
  });
});
