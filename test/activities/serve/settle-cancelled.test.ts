import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSettleCancelled } from '../../../activities/serve/settle-cancelled.ts';
import type { AttemptRecord } from '../../../core/contracts/failure.ts';
import { newRequestId } from '../../../core/ids.ts';
import { createStores, type Stores } from '../../../store/stores.ts';
import { createMovableClock } from '../../support/movable-clock.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';

const clock = createMovableClock();
let database: TestDatabase;
let stores: Stores;
beforeAll(async () => {
  database = await openTestDatabase();
  stores = createStores(database.db);
});
afterAll(() => database.release());

const attempt = (reachedUpstream: boolean): AttemptRecord => ({
  laneId: 'a',
  attempt: 1,
  outcome: 'cancelled',
  reachedUpstream,
  startedAt: 1,
  durationMs: 1,
  // As a metered lane's record says it.
  ...(reachedUpstream ? { costUnknown: true as const } : {}),
});

async function setUp() {
  const requestId = newRequestId();
  await stores.requests.insertOnce({
    _id: requestId,
    keyId: 'key_1',
    model: 'm',
    body: '{}',
    stream: false,
    replyTo: null,
    createdAt: 1,
    expireAt: 2,
    result: null,
  });
  return { requestId, settleCancelled: createSettleCancelled({ ...stores, clock }) };
}

describe('a request whose caller has left', () => {
  it.each([
    ['is of unknown cost once an attempt was cut off on a metered lane', [attempt(false), attempt(true)], null],
    ['has cost nothing where none has', [attempt(false)], 0],
    ['has cost nothing where none was made', [], 0],
  ])('%s', async (_what, attempts, costMicros) => {
    const { requestId, settleCancelled } = await setUp();
    await settleCancelled({ requestId, attempts });
    expect(await stores.laneLog.find(requestId)).toEqual({
      _id: requestId,
      kind: 'request',
      keyId: 'key_1',
      batchId: null,
      model: 'm',
      status: 'failed',
      httpStatus: null,
      laneId: null,
      laneAlias: null,
      attempts,
      usage: null,
      costMicros,
      meterMicros: null,
      at: clock.now(),
    });
  });

  it('has cost what the ledger has of it', async () => {
    const { requestId, settleCancelled } = await setUp();
    const row = { itemId: requestId, batchId: null, keyId: 'key_1', laneId: 'a', costMicros: 4, meterMicros: 4, at: 1 };
    await stores.ledger.settle([{ _id: `${requestId}#1.1`, ...row }]);
    await settleCancelled({ requestId, attempts: [attempt(false)] });
    expect(await stores.laneLog.find(requestId)).toMatchObject({ costMicros: 4, meterMicros: 4 });
  });

  it('has one entry, however often it is written down', async () => {
    const { requestId, settleCancelled } = await setUp();
    await settleCancelled({ requestId, attempts: [] });
    await settleCancelled({ requestId, attempts: [attempt(true)] });
    expect(await stores.laneLog.find(requestId)).toMatchObject({ costMicros: 0, attempts: [] });
  });

  it('is written down with its answer where it had one before', async () => {
    const { requestId, settleCancelled } = await setUp();
    const meta = {
      laneId: 'a',
      laneAlias: 'home',
      attempts: 1,
      costMicros: 4,
      meterMicros: 4,
      ignoredParams: [],
    };
    await stores.requests.storeResult(requestId, { status: 200, body: '{}', laneId: 'a', at: 5, meta });
    await settleCancelled({ requestId, attempts: [] });
    expect(await stores.laneLog.find(requestId)).toMatchObject({
      status: 'answered',
      laneAlias: 'home',
      costMicros: 4,
    });
  });

  it('is left alone once it is removed', async () => {
    const { settleCancelled } = await setUp();
    await expect(settleCancelled({ requestId: 'req_gone', attempts: [] })).resolves.toBeUndefined();
  });
});
