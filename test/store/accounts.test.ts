import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLaneStore, type LaneStore } from '../../store/lanes.ts';
import { createWindowSampleStore, KEEP_WINDOW_SAMPLES_MS } from '../../store/window-samples.ts';
import { openTestDatabase, type TestDatabase } from '../support/mongodb.ts';
import { plantLaneDoc } from '../support/planted.ts';

let database: TestDatabase;
let lanes: LaneStore;
beforeAll(async () => {
  database = await openTestDatabase();
  lanes = createLaneStore(database.db);
  await lanes.ensureIndexes();
});
afterAll(() => database.release());

describe('what an owner wants of a lane', () => {
  it('is kept whatever state the lane comes into', async () => {
    await lanes.insert(plantLaneDoc('held', { kind: 'plan' }));
    expect(await lanes.setHold('held', 'paused')).toMatchObject({ hold: 'paused', state: 'ready' });
    for (const state of ['cooling', 'ready', 'signing_in', 'off'] as const) {
      expect(await lanes.transition('held', state, 2)).toMatchObject({ state, hold: 'paused' });
    }
  });

  it('keeps why it cools as long as it does', async () => {
    await lanes.insert(plantLaneDoc('limited'));
    const limit = { until: 9, why: 'the provider limits the rate', backsOff: true };
    expect(await lanes.transition('limited', 'cooling', 2, limit)).toMatchObject({ state: 'cooling', ...limit });
    expect(await lanes.transition('limited', 'cooling', 3, { until: 99 })).toMatchObject({
      until: 99,
      backsOff: false,
    });
  });

  it('ends a draining only where it still drains', async () => {
    await lanes.insert(plantLaneDoc('drained', { kind: 'plan' }));
    await lanes.setHold('drained', 'draining');
    await lanes.setHold('drained', 'none');
    await lanes.setDrained('drained', 5);
    expect(await lanes.find('drained')).toMatchObject({ hold: 'none', drainedAt: null });
    await lanes.setHold('drained', 'draining');
    await lanes.setDrained('drained', 6);
    expect(await lanes.find('drained')).toMatchObject({ hold: 'paused', drainedAt: 6 });
  });

  it('can not be taken back once the lane is being removed', async () => {
    await lanes.insert(plantLaneDoc('removed', { kind: 'plan' }));
    await lanes.setHold('removed', 'removing');
    expect(await lanes.setHold('removed', 'none')).toBeNull();
    expect(await lanes.find('removed')).toMatchObject({ hold: 'removing' });
  });

  it('is counted, so that each wish can be waited for', async () => {
    await lanes.insert(plantLaneDoc('wished', { kind: 'plan' }));
    const counts = await Promise.all([1, 2, 3].map(() => lanes.wish('wished', 'check')));
    // The stand-in may answer with what a later one made of it: the count to wait for is never too low.
    expect(Math.max(...counts.map((doc) => doc?.checkWish ?? 0))).toBe(3);
    await lanes.fulfilled('wished', 'check', 3);
    expect(await lanes.find('wished')).toMatchObject({ checkWish: 3, checkDone: 3, signOutWish: 0 });
  });

  it('is nothing special for a lane that an earlier version stored', async () => {
    const { hold: _hold, weeklyReservePercent: _reserve, checkWish: _wish, ...old } = plantLaneDoc('old');
    await database.db.collection<{ _id: string }>('lanes').insertOne(old);
    await lanes.ensureIndexes();
    expect(await lanes.find('old')).toMatchObject({ hold: 'none', weeklyReservePercent: 0, checkWish: 0 });
    expect(await lanes.find('held')).toMatchObject({ hold: 'paused' });
  });

  it('keeps an alias for one lane', async () => {
    await expect(lanes.rename('wished', 'held')).rejects.toMatchObject({ code: 11_000 });
    expect(await lanes.rename('wished', 'wishful')).toMatchObject({ alias: 'wishful' });
  });
});

describe('the history of windows', () => {
  it('is read newest first and by time, keeps a sample once, and ends after 90 days', async () => {
    const samples = createWindowSampleStore(database.db);
    await samples.ensureIndexes();
    // Of now: what is long past would be removed by the database itself in the middle of the test.
    const start = Date.now();
    const sample = (after: number, laneId = 'a') => ({
      laneId,
      window: 'week',
      usedPercent: after,
      resetsAt: null,
      at: start + after,
    });
    await samples.add([sample(1), sample(2), sample(3), sample(9, 'b')]);
    await samples.add([sample(3), sample(4)]);
    const times = async (more: { since?: number; before?: number; limit?: number } = {}): Promise<number[]> =>
      (await samples.list({ laneId: 'a', limit: 10, ...more })).map(({ at }) => at - start);
    expect(await times()).toEqual([4, 3, 2, 1]);
    expect(await times({ since: start + 2, before: start + 4 })).toEqual([3, 2]);
    expect(await times({ limit: 1 })).toEqual([4]);
    expect(await samples.removeExpired(start + KEEP_WINDOW_SAMPLES_MS + 3)).toBe(2);
    expect(await times()).toEqual([4, 3]);
    await samples.removeOf('a');
    expect(await times()).toEqual([]);
  });
});
