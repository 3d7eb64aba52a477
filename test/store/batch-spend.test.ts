import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { releaseHolds } from '../../activities/batch/release-holds.ts';
import { newSpend } from '../../core/contracts/batch-spend.ts';
import { HOLD_IS_DEAD_AFTER_MS, holdKey } from '../../core/contracts/holds.ts';
import { createBatchWorld, type BatchWorld } from '../support/batch-world.ts';
import { openTestDatabase, type TestDatabase } from '../support/mongodb.ts';

let database: TestDatabase;
let world: BatchWorld;
beforeAll(async () => {
  database = await openTestDatabase();
  world = await createBatchWorld(database);
});
afterAll(() => database.release());

const put = async (maxMicros: number | null): Promise<string> =>
  (await world.putBatch('file-1', { status: 'in_progress', spend: newSpend(maxMicros) }))._id;
const keyOf = (chunkIndex: number, scheduledAt = world.clock.now()): string =>
  holdKey({ scheduledAt, chunkIndex, activityId: '7', runId: 'run.1$x', delivery: 1 });

describe('holds on one limit', () => {
  it('never take more than there is, however many come at once', async () => {
    const id = await put(1_000);
    const held = await Promise.all(
      Array.from({ length: 100 }, (_, index) => world.batchSpend.hold(id, keyOf(index), 30)),
    );
    expect(held.filter(Boolean)).toHaveLength(33);
    const { roomMicros, holds } = await world.batchSpend.find(id);
    expect(roomMicros).toBe(10);
    expect(Object.keys(holds)).toHaveLength(33);
  });

  it('never let more be paid than there is while they hold, settle and hold again', async () => {
    const id = await put(1_000);
    let served = 0;
    const worker = async (chunkIndex: number): Promise<void> => {
      for (let round = 0; round < 5; round++) {
        const key = keyOf(chunkIndex * 100 + round);
        if (!(await world.batchSpend.hold(id, key, 60))) continue;
        await world.batchSpend.settle(id, key, 60, 20);
        served += 1;
      }
    };
    await Promise.all(Array.from({ length: 40 }, (_, index) => worker(index)));
    const { roomMicros, paidMicros, holds } = await world.batchSpend.find(id);
    expect(paidMicros).toBe(served * 20);
    expect(roomMicros).toBe(1_000 - paidMicros);
    expect(holds).toEqual({});
  });

  it('are the same one when a try is repeated, and are settled once', async () => {
    const id = await put(100);
    expect(await world.batchSpend.hold(id, keyOf(1), 80)).toBe(true);
    expect(await world.batchSpend.hold(id, keyOf(1), 80)).toBe(true);
    expect((await world.batchSpend.find(id)).roomMicros).toBe(20);
    expect(await world.batchSpend.settle(id, keyOf(1), 80, 30)).toBe(true);
    expect(await world.batchSpend.settle(id, keyOf(1), 80, 30)).toBe(false);
    expect(await world.batchSpend.find(id)).toEqual({ maxMicros: 100, roomMicros: 70, paidMicros: 30, holds: {} });
  });

  it('count on when a limit comes while a batch runs', async () => {
    const id = await put(null);
    expect(await world.batchSpend.hold(id, keyOf(1), 80)).toBe(true);
    await world.batchSpend.setMax(id, 100);
    expect(await world.batchSpend.hold(id, keyOf(2), 30)).toBe(false);
    await world.batchSpend.settle(id, keyOf(1), 80, 10);
    expect(await world.batchSpend.hold(id, keyOf(2), 30)).toBe(true);
    await world.batchSpend.setMax(id, 20);
    expect((await world.batchSpend.find(id)).roomMicros).toBe(-20);
    expect(await world.batchSpend.hold(id, keyOf(3), 1)).toBe(false);
  });

  it('change with a limit that several change at once', async () => {
    const id = await put(50);
    await Promise.all([10, 20, 30, 40, null].map((max) => world.batchSpend.setMax(id, max)));
    const { maxMicros, roomMicros } = await world.batchSpend.find(id);
    expect(roomMicros).toBe(newSpend(maxMicros).roomMicros);
  });

  it('of attempts that are dead count as spent', async () => {
    const id = await put(100);
    await world.batchSpend.hold(id, keyOf(1, world.clock.now() - HOLD_IS_DEAD_AFTER_MS - 1), 40);
    await world.batchSpend.hold(id, keyOf(2), 30);
    const deps = { batchSpend: world.batchSpend, now: () => world.clock.now() };
    expect(await releaseHolds(deps, id, 'dead')).toBe(1);
    expect(await world.batchSpend.find(id)).toEqual({
      maxMicros: 100,
      roomMicros: 30,
      paidMicros: 40,
      holds: { [keyOf(2)]: 30 },
    });
    expect(await releaseHolds(deps, id, 'all')).toBe(1);
    expect(await world.batchSpend.find(id)).toMatchObject({ roomMicros: 30, paidMicros: 70, holds: {} });
  });
});

describe('a hold that is renewed', () => {
  const deps = () => ({ batchSpend: world.batchSpend, now: () => world.clock.now() });
  const old = (): string => keyOf(1, world.clock.now() - 5 * HOLD_IS_DEAD_AFTER_MS);

  it('is alive from when it was made, however long ago its activity was delivered for the first time', async () => {
    const id = await put(100);
    const key = old();
    await world.batchSpend.hold(id, key, 40, world.clock.now());
    expect(await releaseHolds(deps(), id, 'dead')).toBe(0);
    world.clock.advance(HOLD_IS_DEAD_AFTER_MS + 1);
    expect(await releaseHolds(deps(), id, 'dead')).toBe(1);
    expect(await world.batchSpend.find(id)).toMatchObject({ roomMicros: 60, paidMicros: 40, holds: {}, aliveAt: {} });
  });

  it('lives as long as it is, and leaves nothing behind when it is settled', async () => {
    const id = await put(100);
    const key = old();
    await world.batchSpend.hold(id, key, 40, world.clock.now());
    for (let hours = 0; hours < 9; hours++) {
      world.clock.advance(HOLD_IS_DEAD_AFTER_MS / 2);
      expect(await world.batchSpend.renew(id, key, world.clock.now())).toBe(true);
      expect(await releaseHolds(deps(), id, 'dead')).toBe(0);
    }
    expect(await world.batchSpend.settle(id, key, 40, 10)).toBe(true);
    expect(await world.batchSpend.renew(id, key, world.clock.now())).toBe(false);
    expect(await world.batchSpend.find(id)).toMatchObject({ roomMicros: 90, paidMicros: 10, holds: {}, aliveAt: {} });
  });

  it('is not taken for dead by what was read before its renewal', async () => {
    const id = await put(100);
    const key = old();
    await world.batchSpend.hold(id, key, 40, 1);
    await world.batchSpend.renew(id, key, world.clock.now());
    expect(await world.batchSpend.settleDead(id, key, 40, 1)).toBe(false);
    await world.batchSpend.hold(id, `${key}_2`, 40);
    await world.batchSpend.renew(id, `${key}_2`, world.clock.now());
    expect(await world.batchSpend.settleDead(id, `${key}_2`, 40, undefined)).toBe(false);
    expect(await world.batchSpend.find(id)).toMatchObject({ roomMicros: 20, paidMicros: 0 });
  });

  it('is given back by the one who has renewed it last, and by nobody else', async () => {
    const id = await put(100);
    const { batchSpend } = world;
    await batchSpend.hold(id, 'shared', 40, 1.25);
    await batchSpend.renew(id, 'shared', 1.5);
    expect(await batchSpend.giveBack(id, 'shared', 40, 1.25)).toBe(false);
    expect((await batchSpend.find(id)).holds).toEqual({ shared: 40 });
    expect(await batchSpend.giveBack(id, 'shared', 40, 1.5)).toBe(true);
    expect(await batchSpend.giveBack(id, 'shared', 40, 1.5)).toBe(false);
    expect(await batchSpend.find(id)).toMatchObject({ roomMicros: 100, paidMicros: 0, holds: {}, aliveAt: {} });
  });
});

describe('batches of an earlier version', () => {
  it('run as they did: without a limit, on each lane at once', async () => {
    const id = await put(5);
    await database.db
      .collection<{ _id: string }>('batches')
      .updateOne({ _id: id }, { $unset: { control: '', spend: '' } });
    await world.batchControl.ensureDefaults();
    expect(await world.read(id)).toMatchObject({ control: { spill: 'now', paused: false }, spend: newSpend(null) });
    expect(await world.batchSpend.hold(id, keyOf(1), 10)).toBe(true);
  });
});
