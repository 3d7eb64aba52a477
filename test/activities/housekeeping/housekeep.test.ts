import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createHousekeep } from '../../../activities/housekeeping/housekeep.ts';
import { HOLD_IS_DEAD_AFTER_MS } from '../../../core/contracts/holds.ts';
import { chunkKey } from '../../../core/contracts/ids.ts';
import type { LaneLogDoc } from '../../../store/lane-log.ts';
import { createBatchWorld, DAY_MS, OWNER, result, rows, type BatchWorld } from '../../support/batch-world.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';
import { keptLog } from '../../support/planted.ts';

let database: TestDatabase;
let world: BatchWorld;
beforeAll(async () => {
  database = await openTestDatabase();
  world = await createBatchWorld(database);
});
afterAll(() => database.release());

const LOG_DAYS = 90;
const FAILED_STEP = 'a step of the housekeeping failed';

let lines: readonly string[];
let keep: () => Promise<Readonly<Record<string, number>>>;
const keeper = (stores: Partial<BatchWorld> = {}, checkIn: () => void = () => undefined) => {
  const { log, lines: kept } = keptLog();
  lines = kept;
  return createHousekeep({ stores: { ...world, ...stores }, clock: world.clock, logDays: LOG_DAYS, log, checkIn });
};
beforeEach(() => {
  keep = keeper();
});

/** What a round has removed, without the kinds of which there was nothing. */
async function removedBy(round: () => Promise<Readonly<Record<string, number>>>): Promise<Record<string, number>> {
  return Object.fromEntries(Object.entries(await round()).filter(([, count]) => count > 0));
}

/** A batch whose three lines all have an answer, ended, with its output file. */
async function endedBatch(): Promise<string> {
  const file = await world.putFile(rows(3));
  const batch = await world.putBatch(file._id);
  await world.validateBatch({ batchId: batch._id });
  await world.results.insertMany([1, 2, 3].map((line) => result(batch._id, line)));
  await world.finalizeBatch({ batchId: batch._id, reason: 'completed' });
  return batch._id;
}

const piecesOf = (bodyId: string) => database.db.collection('bodies.chunks').countDocuments({ files_id: bodyId });

const request = { keyId: OWNER, model: 'm', body: '{}', stream: false, replyTo: null, createdAt: 1, result: null };

describe('a round of the housekeeping', () => {
  it('removes what is past its end, once, whoever else does it at the same time', async () => {
    const now = world.clock.now();
    const expired = await world.putFile('old', { expiresAt: now - 1 });
    const kept = await world.putFile('kept');
    await world.requests.insertOnce({ ...request, _id: 'req_old', expireAt: now - 1 });
    await world.requests.insertOnce({ ...request, _id: 'req_new', expireAt: now + 1 });
    await Promise.all([keep(), keeper()()]);
    expect(lines.filter((line) => line.includes(FAILED_STEP))).toEqual([]);
    expect(await world.files.find(expired._id)).toMatchObject({ bytesRemoved: true });
    expect(await world.readFile(kept._id)).toBe('kept');
    expect(await world.requests.find('req_old')).toBeNull();
    expect(await world.requests.find('req_new')).not.toBeNull();
    expect(await removedBy(keep)).toEqual({});
  });

  it('leaves the bytes of an expired file to a batch that works on them', async () => {
    const file = await world.putFile(rows(1), { expiresAt: world.clock.now() - 1 });
    const batch = await world.putBatch(file._id, { status: 'in_progress' });
    expect(await removedBy(keep)).toEqual({});
    expect(await world.readFile(file._id)).toBe(rows(1));
    await world.finalizeBatch({ batchId: batch._id, reason: 'expired' });
    await removedBy(keep);
    expect(await world.files.find(file._id)).toMatchObject({ bytesRemoved: true });
  });

  it('removes the chunks of a batch a day after its end, and not before', async () => {
    const file = await world.putFile(rows(600));
    const batch = await world.putBatch(file._id);
    expect(await world.validateBatch({ batchId: batch._id })).toEqual({ valid: true, chunks: 3 });
    expect(await removedBy(keep)).toEqual({});
    await world.finalizeBatch({ batchId: batch._id, reason: 'cancelled' });
    await keep();
    expect(await world.chunks.find(chunkKey(batch._id, 2))).not.toBeNull();
    world.clock.advance(DAY_MS + 1);
    expect(await removedBy(keep)).toMatchObject({ chunks: 1 });
    for (const index of [0, 1, 2]) expect(await world.chunks.find(chunkKey(batch._id, index))).toBeNull();
  });

  it('counts as spent what dead attempts of a running batch hold, and leaves the others their hold', async () => {
    const file = await world.putFile(rows(1));
    const now = world.clock.now();
    const longAgo = now - HOLD_IS_DEAD_AFTER_MS - 1;
    // The last one is of a group that lives, although its activity is as old as that of the first.
    const holds = { [`${longAgo}-0-1-r-1`]: 30, [`${now}-0-2-r-1`]: 20, [`${longAgo}-0-3-r-1`]: 10 };
    const aliveAt = { [`${longAgo}-0-3-r-1`]: now };
    const spend = { maxMicros: 110, roomMicros: 50, paidMicros: 0, holds, aliveAt };
    const batch = await world.putBatch(file._id, { status: 'in_progress', spend });
    world.clock.advance(1);
    expect(await removedBy(keep)).toEqual({ holds: 1 });
    expect((await world.read(batch._id)).spend).toMatchObject({ roomMicros: 50, paidMicros: 30 });
    await world.finalizeBatch({ batchId: batch._id, reason: 'expired' });
    expect((await world.read(batch._id)).spend).toMatchObject({ roomMicros: 50, paidMicros: 60, holds: {} });
  });

  it('removes results when their files are deleted, and notes it first', async () => {
    const batchId = await endedBatch();
    await keep();
    expect(await world.results.find(batchId, 2)).not.toBeNull();
    const { outputFileId } = await world.read(batchId);
    await world.files.markDeleted(OWNER, outputFileId ?? '', world.clock.now());
    const states: (string | undefined)[] = [];
    const watched = {
      ...world.results,
      removeLines: async (...given: Parameters<typeof world.results.removeLines>) => {
        states.push((await world.read(batchId)).results);
        await world.results.removeLines(...given);
      },
    };
    expect(await removedBy(keeper({ results: watched }))).toMatchObject({ results: 1 });
    expect(states).toEqual(['removing']);
    for (const line of [1, 2, 3]) expect(await world.results.find(batchId, line)).toBeNull();
    expect(await world.read(batchId)).toMatchObject({ status: 'completed', results: 'removed' });
    expect(await removedBy(keep)).toEqual({});
  });

  it('removes results 30 days after the end, and goes on where another was cut off', async () => {
    const batchId = await endedBatch();
    world.clock.advance(29 * DAY_MS);
    await keep();
    expect(await world.results.find(batchId, 1)).not.toBeNull();
    world.clock.advance(DAY_MS);
    const broken = { ...world.results, removeLines: () => Promise.reject(new Error('away')) };
    expect(await removedBy(keeper({ results: broken }))).not.toHaveProperty('results');
    expect(await world.read(batchId)).toMatchObject({ results: 'removing' });
    expect(await removedBy(keep)).toMatchObject({ results: 1 });
    expect(await world.results.find(batchId, 1)).toBeNull();
  });

  it('finds results that are due behind any number of batches that are not', async () => {
    const [first, last] = [world.clock.now() + 1, world.clock.now() + 1000];
    for (let index = 0; index < 130; index++) {
      const file = await world.putFile('', { batchId: 'b' });
      const at = { createdAt: first + index, completedAt: last };
      await world.putBatch('none', { status: 'completed', outputFileId: file._id, ...at });
    }
    const due = await world.putBatch('none', { status: 'completed', createdAt: last, completedAt: last });
    await keep();
    await keep();
    expect(await world.read(due._id)).toMatchObject({ results: 'removed' });
  });

  it('removes entries of the lane log after the days that are set, many at a time, and no other', async () => {
    const entry = (id: string, at: number): LaneLogDoc => ({
      _id: id,
      kind: 'request',
      keyId: OWNER,
      batchId: null,
      model: 'm',
      status: 'answered',
      httpStatus: 200,
      laneId: 'l',
      laneAlias: 'l',
      attempts: [],
      usage: null,
      costMicros: null,
      meterMicros: null,
      at,
    });
    const border = world.clock.now() - LOG_DAYS * DAY_MS;
    const old = Array.from({ length: 2_100 }, (_, index) => entry(`old-${index}`, border - 1 - index));
    await world.laneLog.insertMissing([...old, entry('young', border)]);
    expect(await removedBy(keep)).toEqual({ logEntries: 2_100 });
    expect(await world.laneLog.list({ limit: 10 })).toMatchObject([{ _id: 'young' }]);
  });

  it('removes bytes of crashed uploads a day later', async () => {
    const orphan = 'file-orphan';
    await world.files.bytes.write(orphan, [Buffer.from('x')] as unknown as AsyncIterable<Uint8Array>);
    const writtenAt = world.clock.now();
    await database.db.collection('unclaimed_bodies').updateOne({ _id: orphan as never }, { $set: { writtenAt } });
    world.clock.advance(DAY_MS);
    expect(await removedBy(keep)).not.toHaveProperty('orphans');
    expect(await piecesOf(orphan)).toBe(1);
    world.clock.advance(1);
    expect(await removedBy(keep)).toMatchObject({ orphans: 1 });
    expect(await piecesOf(orphan)).toBe(0);
  });

  it('removes the parts of an upload that nobody has completed in its time, and forgets it a day later', async () => {
    const [uploadId, partId, createdAt] = ['upload_x', 'part_x', world.clock.now()];
    await world.uploads.insert({
      _id: uploadId,
      ownerId: OWNER,
      bytes: 1,
      createdAt,
      expiresAt: createdAt + 1,
      filename: 'a.jsonl',
      purpose: 'batch',
      status: 'pending',
      mimeType: 'a/b',
      fileLifeSeconds: null,
      fileId: 'file-x',
      partBytes: 1,
      partCount: 1,
      completion: null,
      tidied: false,
    });
    await world.files.bytes.write(partId, [Buffer.from('x')] as unknown as AsyncIterable<Uint8Array>);
    await world.files.bytes.claim(partId);
    await world.uploads.insertPart({ _id: partId, uploadId, bytes: 1, createdAt });
    await keep();
    expect(await piecesOf(partId)).toBe(1);
    world.clock.advance(1);
    expect(await removedBy(keep)).toMatchObject({ uploads: 1 });
    expect(await piecesOf(partId)).toBe(0);
    world.clock.advance(DAY_MS);
    expect(await removedBy(keep)).toMatchObject({ oldUploads: 1 });
    expect(await world.uploads.find(uploadId)).toBeNull();
  });

  it('goes on with the other steps when one fails', async () => {
    const requests = { ...world.requests, removeExpired: async () => Promise.reject(new Error('away')) };
    const expired = await world.putFile('old', { expiresAt: world.clock.now() - 1 });
    expect(await keeper({ requests })()).toMatchObject({ files: 1, requests: 0 });
    expect(lines.filter((line) => line.includes(FAILED_STEP))).toHaveLength(1);
    expect(await world.files.find(expired._id)).toMatchObject({ bytesRemoved: true });
  });

  it('ends where it is when it is told to, and says nothing of a failure', async () => {
    const files = [1, 2, 3].map(() => world.putFile('old', { expiresAt: world.clock.now() - 1 }));
    await Promise.all(files);
    let checkIns = 0;
    const stopped = keeper({}, () => {
      if (++checkIns === 3) throw new Error('the worker stops');
    });
    await expect(stopped()).rejects.toThrow('the worker stops');
    expect(lines.filter((line) => line.includes(FAILED_STEP))).toEqual([]);
    expect(await removedBy(keep)).toMatchObject({ files: 2 });
  });
});
