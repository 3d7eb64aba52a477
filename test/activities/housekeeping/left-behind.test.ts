import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeLines } from '../../../activities/batch/make-lines.ts';
import { createHousekeep } from '../../../activities/housekeeping/housekeep.ts';
import { createBatchWorld, DAY_MS, OWNER, result, type BatchWorld } from '../../support/batch-world.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';
import { keptLog } from '../../support/planted.ts';

let database: TestDatabase;
let world: BatchWorld;
let lines: readonly string[];
let keep: ReturnType<typeof keeper>;
const keeper = (stores: Partial<BatchWorld> = {}) => {
  const kept = keptLog();
  ({ lines } = kept);
  return createHousekeep({
    stores: { ...world, ...stores },
    clock: world.clock,
    logDays: 90,
    log: kept.log,
    checkIn: () => undefined,
  });
};
beforeAll(async () => {
  database = await openTestDatabase();
  world = await createBatchWorld(database);
});
beforeEach(() => {
  keep = keeper();
});
afterAll(() => database.release());

const piecesOf = (bodyId: string) => database.db.collection('bodies.chunks').countDocuments({ files_id: bodyId });

describe('the housekeeping', () => {
  it('finds files that can go behind any number of files that batches work on', async () => {
    const now = world.clock.now();
    for (let index = 0; index < 101; index++) {
      const file = await world.putFile('in use', { createdAt: now - 1, deletedAt: now });
      await world.putBatch(file._id, { status: 'in_progress' });
    }
    const file = await world.putFile('of no use', { createdAt: now, deletedAt: now });
    await keep();
    await keep();
    expect(await world.files.find(file._id)).toMatchObject({ bytesRemoved: true });
  });

  it('keeps the lines that were made of a table as long as the results, for a retry', async () => {
    const file = await world.putFile('text\na\nb\nc\n', { filename: 'input.csv' });
    const text = JSON.stringify({
      body: { model: 'm', messages: [{ role: 'user', content: '{{text}}' }] },
      custom_id: null,
    });
    const batch = await world.putBatch(file._id, { template: { text, delimiter: null, bodyId: null } });
    await world.validateBatch({ batchId: batch._id });
    await world.results.insertMany([1, 2, 3].map((line) => result(batch._id, line, { kind: 'failed' })));
    await world.finalizeBatch({ batchId: batch._id, reason: 'completed' });
    const made = (await world.read(batch._id)).template?.bodyId ?? '';
    world.clock.advance(2 * DAY_MS);
    expect(await keep()).toMatchObject({ chunks: 1 });
    expect(await piecesOf(made)).toBe(1);
    world.clock.advance(28 * DAY_MS);
    await keep();
    expect(await piecesOf(made)).toBe(0);
  });

  it('keeps lines that were made of a table for a batch that is still to be validated', async () => {
    const file = await world.putFile('text\na\nb\nc\n', { filename: 'input.csv' });
    const text = JSON.stringify({ body: { model: 'm', messages: [] }, custom_id: null });
    const template = { text, delimiter: null, bodyId: null };
    const batch = await world.putBatch(file._id, { template });
    const claim = () => Promise.reject(new Error('killed'));
    const files = { ...world.files, bytes: { ...world.files.bytes, claim } };
    const making = makeLines({ ...world, files, checkIn: () => undefined }, batch, template, file);
    await expect(making).rejects.toThrow('killed');
    const made = (await world.read(batch._id)).template?.bodyId ?? '';
    await database.db
      .collection<{ _id: string }>('unclaimed_bodies')
      .updateOne({ _id: made }, { $set: { writtenAt: world.clock.now() } });
    world.clock.advance(DAY_MS + 1);
    await keep();
    expect(await piecesOf(made)).toBe(1);
    expect(await world.validateBatch({ batchId: batch._id })).toEqual({ valid: true, chunks: 1 });
  });

  it('removes files behind one that can not be removed', async () => {
    const now = world.clock.now();
    const [first, second] = [
      await world.putFile('a', { createdAt: now, deletedAt: now }),
      await world.putFile('b', { createdAt: now + 1, deletedAt: now }),
    ];
    const find = (fileId: string) =>
      fileId === first._id ? Promise.reject(new Error('broken')) : world.files.find(fileId);
    const broken = keeper({ files: { ...world.files, find } });
    await broken();
    await broken();
    expect(await world.files.find(first._id)).toMatchObject({ bytesRemoved: false });
    expect(await world.files.find(second._id)).toMatchObject({ bytesRemoved: true });
    await keep();
    await keep();
    expect(await world.files.find(first._id)).toMatchObject({ bytesRemoved: true });
  });

  it('ends uploads behind one that can not be ended', async () => {
    const upload = (given: object) => ({
      ownerId: OWNER,
      filename: 'x.jsonl',
      bytes: 2,
      mimeType: 'text/jsonl',
      fileLifeSeconds: null,
      purpose: 'batch' as const,
      createdAt: 1,
      expiresAt: world.clock.now(),
      fileId: 'file-none',
      partBytes: 0,
      partCount: 0,
      completion: null,
      tidied: false,
      status: 'pending' as const,
      _id: '',
      ...given,
    });
    await world.uploads.insert(upload({ _id: 'upload_a' }));
    await world.uploads.insert(upload({ _id: 'upload_b' }));
    const listParts = (uploadId: string) =>
      uploadId === 'upload_a' ? Promise.reject(new Error('broken')) : world.uploads.listParts(uploadId);
    await keeper({ uploads: { ...world.uploads, listParts } })();
    expect(lines.filter((line) => line.includes('a step of the housekeeping failed'))).toHaveLength(1);
    expect(await world.uploads.find('upload_b')).toMatchObject({ status: 'expired', tidied: true });
    await keep();
    expect(await world.uploads.find('upload_a')).toMatchObject({ status: 'expired', tidied: true });
  });
});
