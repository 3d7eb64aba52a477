import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NO_USAGE } from '../../core/token-usage.ts';
import { tallyByLane } from '../../store/lane-tallies.ts';
import type { BatchResultDoc } from '../../store/batch-results.ts';
import { releaseFile, releaseFiles } from '../../store/release-file.ts';
import { createBatchWorld, OWNER, result, type BatchWorld } from '../support/batch-world.ts';
import { openTestDatabase, type TestDatabase } from '../support/mongodb.ts';

let database: TestDatabase;
let world: BatchWorld;
beforeAll(async () => {
  database = await openTestDatabase();
  world = await createBatchWorld(database);
});
afterAll(() => database.release());

const increment = {
  completed: 1,
  failed: 2,
  duplicates: 3,
  usage: { ...NO_USAGE, promptTokens: 7 },
  byLane: tallyByLane([
    { kind: 'completed', laneId: '0a1b2c3d4e5f', usage: NO_USAGE, costMicros: 4, meterMicros: null },
    { kind: 'failed', laneId: null, usage: null },
    { kind: 'failed', laneId: null, usage: null },
  ]),
};

describe('batches', () => {
  it('go from state to state with the time and the patch of the change', async () => {
    const { _id } = await world.putBatch('file-1');
    expect(await world.batches.transition(_id, 'in_progress', 5, { chunks: 2, model: 'm' })).toMatchObject({
      status: 'in_progress',
      inProgressAt: 5,
      chunks: 2,
      model: 'm',
    });
    expect(await world.batches.transition(_id, 'finalizing', 6)).toMatchObject({ finalizingAt: 6 });
    expect(await world.batches.transition(_id, 'completed', 7)).toMatchObject({ status: 'completed', completedAt: 7 });
  });

  it('refuse a way that is not there, and stay as they are', async () => {
    const { _id } = await world.putBatch('file-1', { status: 'completed' });
    expect(await world.batches.transition(_id, 'cancelling', 5)).toBeNull();
    expect(await world.read(_id)).toMatchObject({ status: 'completed', cancellingAt: null });
  });

  it('refuse a change that was worked out from something else', async () => {
    const { _id } = await world.putBatch('file-1', { status: 'in_progress', chunks: 3 });
    expect(await world.batches.transition(_id, 'expired', 5, {}, { chunks: 0 })).toBeNull();
    expect(await world.batches.transition(_id, 'expired', 5, {}, { status: 'validating' })).toBeNull();
    expect(await world.batches.transition(_id, 'expired', 5, {}, { chunks: 3 })).not.toBeNull();
  });

  it('let exactly one of many change the state', async () => {
    const { _id } = await world.putBatch('file-1');
    const changes = await Promise.all(
      Array.from({ length: 10 }, () => world.batches.transition(_id, 'in_progress', 5)),
    );
    expect(changes.filter((changed) => changed !== null)).toHaveLength(1);
  });

  it('add up what comes in, until they are over', async () => {
    const { _id } = await world.putBatch('file-1', { status: 'in_progress' });
    await Promise.all(Array.from({ length: 5 }, () => world.batches.addCounts(_id, increment)));
    const expected = { counts: { completed: 5, failed: 10 }, duplicatesDropped: 15, usage: { promptTokens: 35 } };
    expect(await world.read(_id)).toMatchObject(expected);
    expect((await world.read(_id)).byLane).toEqual({
      '0a1b2c3d4e5f': { completed: 5, failed: 0, costMicros: 20, meterMicros: 0, costUnknown: 0, meterUnknown: 5 },
      none: { completed: 0, failed: 10, costMicros: 0, meterMicros: 0, costUnknown: 0, meterUnknown: 0 },
    });
    await world.batches.transition(_id, 'expired', 5);
    await world.batches.addCounts(_id, increment);
    expect(await world.read(_id)).toMatchObject(expected);
  });

  it('keep the newest notes of their pace', async () => {
    const { _id } = await world.putBatch('file-1', { status: 'in_progress' });
    for (let at = 1; at <= 100; at++) await world.batches.addCounts(_id, { ...increment, pace: { at, lines: at * 2 } });
    const { pace = [] } = await world.read(_id);
    expect(pace).toHaveLength(96);
    expect([pace[0], pace.at(-1)]).toEqual([
      { at: 5, lines: 10 },
      { at: 100, lines: 200 },
    ]);
  });

  it.each([
    ['failed', 'validating'],
    ['completed', 'finalizing'],
    ['expired', 'in_progress'],
    ['cancelled', 'cancelling'],
  ] as const)('are due to be announced from the very change to their end: %s', async (end, before) => {
    const { _id } = await world.putBatch('file-1', { status: before });
    expect(await world.batches.transition(_id, end, 1_000)).toMatchObject({ status: end, announce: 'due' });
    const due = async (endedBefore: number) =>
      (await world.batchAnnouncements.listDue(endedBefore, 100)).map((batch) => batch._id);
    expect(await due(1_000)).not.toContain(_id);
    expect(await due(1_001)).toContain(_id);
    for (let time = 0; time < 2; time++) await world.batchAnnouncements.markAnnounced(_id);
    expect(await due(1_001)).not.toContain(_id);
    expect(await world.read(_id)).not.toHaveProperty('announce');
  });

  it('are not due while they are not over', async () => {
    const { _id } = await world.putBatch('file-1');
    for (const status of ['in_progress', 'finalizing'] as const) {
      expect(await world.batches.transition(_id, status, 5)).not.toHaveProperty('announce');
    }
  });

  it('are found for the sweep by state and age', async () => {
    const { _id } = await world.putBatch('file-1', { status: 'cancelling', createdAt: 100 });
    expect((await world.batches.listInStates(['cancelling'], 101, 10)).map((batch) => batch._id)).toEqual([_id]);
    expect(await world.batches.listInStates(['cancelling'], 100, 10)).toEqual([]);
  });
});

describe('outcomes of lines', () => {
  it('does not take its own outcome, written twice, for a second one', async () => {
    const first = [result('own', 1), result('own', 2)];
    expect(await world.results.insertMany(first.slice(0, 1))).toEqual({ stored: [1], duplicates: [] });
    // The first write was half done when its acknowledgement was lost: the same is sent again.
    expect(await world.results.insertMany(first)).toEqual({ stored: [1, 2], duplicates: [] });
    expect(await world.results.insertMany([result('own', 2)])).toEqual({ stored: [], duplicates: [2] });
  });

  it('are kept once: the first stands', async () => {
    expect(await world.results.insertOnce(result('b1', 1, { body: '"first"' }))).toBe('stored');
    expect(await world.results.insertOnce(result('b1', 1, { body: '"second"' }))).toBe('duplicate');
    expect(await world.results.find('b1', 1)).toMatchObject({ body: '"first"' });
  });

  it('tell which of many are new', async () => {
    await world.results.insertMany([result('b2', 2), result('b2', 4)]);
    expect(await world.results.insertMany([1, 2, 3, 4, 5].map((line) => result('b2', line)))).toEqual({
      stored: [1, 3, 5],
      duplicates: [2, 4],
    });
    expect(await world.results.insertMany([result('b2', 1)])).toEqual({ stored: [], duplicates: [1] });
    expect(await world.results.insertMany([])).toEqual({ stored: [], duplicates: [] });
  });

  it('come out once however many write at the same time', async () => {
    const stored = await Promise.all(
      Array.from({ length: 8 }, () => world.results.insertMany([1, 2, 3].map((line) => result('b3', line)))),
    );
    expect(stored.flatMap((one) => one.stored).toSorted((a, b) => a - b)).toEqual([1, 2, 3]);
  });

  it('are read in line order, and counted within a range', async () => {
    await world.results.insertMany([9, 3, 5, 1].map((line) => result('b4', line)));
    await world.results.insertOnce(result('b4', 4, { kind: 'failed', statusCode: 400 }));
    const read: BatchResultDoc[] = [];
    for await (const outcome of world.results.readWhole(
      'b4',
      [4, 1, 2, 9].map((line) => ({ line })),
    ))
      read.push(outcome);
    expect(read.map(({ line }) => line)).toEqual([1, 4, 9]);
    expect((await world.results.outcomes('b4', 1, 5)).toSorted((a, b) => a.line - b.line)).toEqual(
      [1, 3, 4, 5].map((line) => ({
        line,
        laneId: 'lane',
        kind: line === 4 ? 'failed' : 'completed',
        bodyBytes: Buffer.byteLength(result('b4', line).body ?? ''),
        usage: expect.any(Object) as object,
      })),
    );
  });
});

describe('releasing a file', () => {
  it('waits for the batch that works on it', async () => {
    const file = await world.putFile('x');
    const batch = await world.putBatch(file._id, { status: 'in_progress' });
    await world.files.markDeleted(OWNER, file._id, world.clock.now());
    expect(await releaseFile(world, file._id, world.clock.now())).toBe(false);
    await world.batches.transition(batch._id, 'expired', 1);
    const now = world.clock.now();
    expect(await releaseFiles(world, await world.files.listRemovable(now, 100), now)).toBe(1);
    expect(await world.files.find(file._id)).toMatchObject({ bytesRemoved: true });
  });

  it('leaves a file that is in use by its owner', async () => {
    const file = await world.putFile('x');
    expect(await releaseFile(world, file._id, world.clock.now())).toBe(false);
    expect(await world.readFile(file._id)).toBe('x');
  });
});
