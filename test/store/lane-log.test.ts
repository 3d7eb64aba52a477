import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLaneLogStore, type LaneLogDoc, type LaneLogStore } from '../../store/lane-log.ts';
import { createStores } from '../../store/stores.ts';
import { openTestDatabase, type TestDatabase } from '../support/mongodb.ts';

let database: TestDatabase;
let store: LaneLogStore;
beforeAll(async () => {
  database = await openTestDatabase();
  await createStores(database.db).ensureIndexes();
  store = createLaneLogStore(database.db);
});
afterAll(() => database.release());

const entry = (_id: string, given: Partial<LaneLogDoc>): LaneLogDoc => ({
  _id,
  kind: 'request',
  keyId: 'key_1',
  batchId: null,
  model: 'm',
  status: 'answered',
  httpStatus: 200,
  laneId: 'a',
  laneAlias: 'a',
  attempts: [],
  usage: null,
  costMicros: 0,
  meterMicros: null,
  at: 1,
  ...given,
});

describe('the lane log', () => {
  it('gives the newest first of a lane, a key or a batch, and one entry by its id', async () => {
    await store.insertMissing([
      entry('one', { at: 1 }),
      entry('two', { at: 2, keyId: 'key_2' }),
      entry('three', { at: 3, laneId: 'b' }),
      entry('four', { at: 4, batchId: 'batch_1' }),
    ]);
    const ids = async (filter: Omit<Parameters<LaneLogStore['list']>[0], 'limit'>): Promise<string[]> =>
      (await store.list({ ...filter, limit: 10 })).map(({ _id }) => _id);
    expect(await ids({})).toEqual(['four', 'three', 'two', 'one']);
    expect(await ids({ laneId: 'a' })).toEqual(['four', 'two', 'one']);
    expect(await ids({ keyId: 'key_1', before: 4 })).toEqual(['three', 'one']);
    expect(await ids({ batchId: 'batch_1' })).toEqual(['four']);
    expect(await ids({ id: 'two' })).toEqual(['two']);
    expect(await ids({ id: 'two', keyId: 'key_1' })).toEqual([]);
  });
});

describe('what is looked for by something else than its id', () => {
  it.each([
    ['lane_log', { laneId: 1, at: -1 }],
    ['lane_log', { keyId: 1, at: -1 }],
    ['files', { bodyId: 1 }],
    ['files', { bytesRemoved: 1, createdAt: 1, _id: 1 }],
    ['composed_bodies', { 'parts.bodyId': 1 }],
    ['idempotency', { expireAt: 1 }],
  ])('has an index in %s: %o', async (name, key) => {
    const keys = (await database.db.collection(name).indexes()).map((index) => index.key);
    expect(keys).toContainEqual(key);
  });
});
