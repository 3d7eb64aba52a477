import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isDuplicateKey } from '../../store/database.ts';
import { createLaneStore, type LaneStore } from '../../store/lanes.ts';
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

const SETTINGS = { preset: 'openai', authHeader: 'authorization', sealedHeaders: 'h', modelMap: [], prices: [] };

describe('a change of a key lane', () => {
  it('writes what is given and leaves the rest, also of two changes at a time', async () => {
    await lanes.insert(plantLaneDoc('a', { keySettings: SETTINGS, models: ['m'] }));
    const modelMap = [{ asked: 'a.b', upstream: '$set' }];
    const prices = [{ model: 'x', inputUsd: 1, cachedInputUsd: 1, outputUsd: 2 }];
    await Promise.all([
      lanes.editKeyLane('a', { rank: 3, keySettings: { modelMap } }),
      lanes.editKeyLane('a', { concurrency: 9, keySettings: { prices, sealedHeaders: null } }),
    ]);
    expect(await lanes.find('a')).toMatchObject({
      rank: 3,
      concurrency: 9,
      models: ['m'],
      keySettings: { ...SETTINGS, modelMap, prices, sealedHeaders: null },
    });
  });

  it('gives settings to a lane from before it could have any', async () => {
    await lanes.insert(plantLaneDoc('old', { keySettings: null }));
    const edited = await lanes.editKeyLane('old', { keySettings: { authHeader: 'x-key' } });
    expect(edited?.keySettings).toEqual({
      preset: null,
      authHeader: 'x-key',
      sealedHeaders: null,
      modelMap: [],
      prices: [],
    });
  });

  it('needs a key lane, and an alias that is free', async () => {
    await lanes.insert(plantLaneDoc('account', { kind: 'plan' }));
    expect(await lanes.editKeyLane('account', { rank: 9 })).toBeNull();
    expect(await lanes.editKeyLane('gone', { rank: 9 })).toBeNull();
    const taken: unknown = await lanes.editKeyLane('a', { alias: 'account' }).catch((error: unknown) => error);
    expect(isDuplicateKey(taken)).toBe(true);
  });
});

describe('what a process learnt with a key', () => {
  it('counts only while the lane has that key', async () => {
    await lanes.insert(plantLaneDoc('k', { sealedKey: 'one' }));
    await lanes.editKeyLane('k', { sealedKey: 'two' });
    expect(await lanes.transition('k', 'needs_key', 2, { sealedKey: 'one' })).toBeNull();
    expect(await lanes.find('k')).toMatchObject({ state: 'ready' });
    expect(await lanes.transition('k', 'needs_key', 3, { sealedKey: 'two' })).toMatchObject({ state: 'needs_key' });
    expect(await lanes.transition('k', 'ready', 4)).toMatchObject({ state: 'ready' });
  });
});
