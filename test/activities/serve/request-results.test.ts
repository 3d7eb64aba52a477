import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createStores, type Stores } from '../../../store/stores.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';
import { plantFailure } from '../../support/planted.ts';
import { setUpRequest, usage } from '../../support/served-request.ts';

const MIB = 1024 * 1024;

let database: TestDatabase;
let stores: Stores;
beforeAll(async () => {
  database = await openTestDatabase();
  stores = createStores(database.db);
});
afterAll(() => database.release());

const setUp = (bodyBytes?: number, written?: string) => setUpRequest(stores, bodyBytes, written);

describe('a stored request', () => {
  it('goes to the lane as its caller wrote it', async () => {
    const written = '{"n": 12345678901234567890, "10":1}';
    const { serve, texts } = await setUp(0, written);
    await serve();
    expect(texts).toEqual([written]);
  });
});

describe('the result of a request', () => {
  it('is stored beside a long body, whose room it takes', async () => {
    const { requestId, world, serve, sent } = await setUp(12 * MIB);
    const body = JSON.stringify('y'.repeat(14 * MIB));
    world.outcome = () => ({ ok: true, body, usage, ignoredParams: [] });
    expect(await serve()).toMatchObject({ ok: true });
    expect(sent).toMatchObject([{ type: 'done' }]);
    const stored = await stores.requests.find(requestId);
    expect(stored?.result?.body).toHaveLength(body.length);
    expect(stored?.body).toBe('');
  });

  it('is an error, once, when the answer is longer than any document', async () => {
    const { requestId, world, calls, serve, sent } = await setUp();
    world.outcome = () => ({ ok: true, body: 'z'.repeat(16 * MIB), usage, ignoredParams: [] });
    expect(await serve()).toMatchObject({ ok: false, failure: { class: 'caller_fault' } });
    expect(sent).toMatchObject([{ type: 'failed', status: 502, shouldRetry: false }]);
    expect(await stores.requests.find(requestId)).toMatchObject({ result: { status: 502, shouldRetry: false } });
    // It was answered upstream, so it is paid for.
    expect(await stores.ledger.listOfItem(requestId)).toMatchObject([{ costMicros: 9 }]);
    expect(await stores.laneLog.find(requestId)).toMatchObject({ status: 'failed', httpStatus: 502, costMicros: 9 });
    expect(await serve()).toMatchObject({ ok: false });
    expect(calls).toHaveLength(1);
  });

  it.each([
    ['is known to have cost nothing where the request was refused at once', {}, 0],
    ['is of unknown cost where an answer was begun before the refusal', { mayBeBilled: true }, null],
  ] as const)('%s', async (_, given, costMicros) => {
    const { requestId, world, serve } = await setUp();
    world.outcome = () => ({ ok: false, failure: plantFailure('caller_fault', { upstreamStatus: 200, ...given }) });
    await serve();
    expect(await stores.laneLog.find(requestId)).toMatchObject({ status: 'failed', httpStatus: 400, costMicros });
  });

  it('is priced as its lane was when the call went out, also where the lane has ended meanwhile', async () => {
    const { requestId, world, serve } = await setUp();
    world.ownPrice = 5;
    world.meanwhile = async () => (world.isHosted = false);
    await serve();
    expect(await stores.ledger.listOfItem(requestId)).toMatchObject([{ costMicros: 5, meterMicros: 5 }]);
    expect(await stores.laneLog.find(requestId)).toMatchObject({ status: 'answered', costMicros: 5 });
  });

  it('has its entry in the lane log also when a worker died between the two', async () => {
    const { requestId, calls, serve } = await setUp();
    const row = { itemId: requestId, batchId: null, keyId: 'key_1', laneId: 'a', costMicros: 9, meterMicros: 9, at: 1 };
    await stores.ledger.settle([{ ...row, _id: `${requestId}#1.1` }]);
    const body = '{"usage":{"prompt_tokens":3,"completion_tokens":2}}';
    await stores.requests.storeResult(requestId, { status: 200, body, laneId: 'a', at: 5 });
    expect(await serve()).toMatchObject({ ok: true, record: { reachedUpstream: false } });
    expect(calls).toEqual([]);
    expect(await stores.laneLog.find(requestId)).toMatchObject({
      status: 'answered',
      laneId: 'a',
      usage,
      costMicros: 9,
      at: 5,
    });
  });
});

describe('a result that another delivery has stored meanwhile', () => {
  const meta = {
    laneId: 'a',
    laneAlias: 'first',
    attempts: 1,
    costMicros: 4,
    meterMicros: 4,
    ignoredParams: [],
  };

  it('is what the caller gets and the lane log has, while both answers are paid for', async () => {
    const { requestId, world, sent, serve } = await setUp();
    world.meanwhile = () =>
      stores.requests.storeResult(requestId, { status: 200, body: '{"id":"first"}', laneId: 'a', at: 5, meta });
    expect(await serve()).toMatchObject({ ok: true, record: { outcome: 'answered', reachedUpstream: true } });
    expect(sent).toEqual([{ type: 'done', body: '{"id":"first"}', meta }]);
    expect(await stores.laneLog.find(requestId)).toMatchObject({ laneAlias: 'first', costMicros: 4, at: 5 });
    expect(await stores.ledger.listOfItem(requestId)).toMatchObject([{ costMicros: 9 }]);
  });

  it('ends the request also where it is an error, and asks nobody else', async () => {
    const { requestId, world, sent, serve } = await setUp();
    world.meanwhile = () =>
      stores.requests.storeResult(requestId, { status: 400, body: '{"error":1}', laneId: 'a', at: 5, attempts: 1 });
    expect(await serve()).toMatchObject({ ok: false, failure: { class: 'caller_fault' } });
    expect(sent).toEqual([{ type: 'failed', status: 400, body: '{"error":1}', attempts: 1 }]);
    expect(await stores.laneLog.find(requestId)).toMatchObject({ status: 'failed', httpStatus: 400 });
  });

  it('takes the place of a refusal as well', async () => {
    const { requestId, world, sent, serve } = await setUp();
    world.outcome = () => ({ ok: false, failure: plantFailure('caller_fault') });
    world.meanwhile = () =>
      stores.requests.storeResult(requestId, { status: 200, body: '{"id":"first"}', laneId: 'a', at: 5, meta });
    expect(await serve()).toMatchObject({ ok: true });
    expect(sent).toMatchObject([{ type: 'done', body: '{"id":"first"}' }]);
  });

  it('is its own where only the acknowledgement was lost', async () => {
    const { requestId, world, sent, serve } = await setUp();
    world.storeResult = async (id, result) => (await stores.requests.storeResult(id, result)) && false;
    expect(await serve()).toMatchObject({ ok: true, record: { outcome: 'answered' } });
    expect(sent).toMatchObject([{ type: 'done', body: '{"id":"x"}', meta: { laneAlias: 'a', costMicros: 9 } }]);
    expect(await stores.laneLog.find(requestId)).toMatchObject({ costMicros: 9, attempts: [{ outcome: 'answered' }] });
  });
});

describe('the error that no lane could avert', () => {
  const failure = plantFailure('window_exhausted');

  it('is told, logged and kept with what a client needs to try again', async () => {
    const { requestId, sent, settleFailure } = await setUp();
    await settleFailure({ requestId, failure, attempts: [], resetsAt: Date.now() + 60_000 });
    expect(sent).toMatchObject([{ type: 'failed', status: 429, shouldRetry: false }]);
    const stored = await stores.requests.find(requestId);
    expect(stored?.result).toMatchObject({ status: 429, shouldRetry: false });
    expect(stored?.result?.retryAfterMs).toBeGreaterThan(0);
  });

  it('is logged and told also when a worker died behind storing it', async () => {
    const { requestId, sent, settleFailure } = await setUp();
    await stores.requests.storeResult(requestId, { status: 429, body: '{"error":{}}', laneId: null, at: 5 });
    await settleFailure({ requestId, failure, attempts: [] });
    expect(sent).toMatchObject([{ type: 'failed', status: 429, body: '{"error":{}}' }]);
    expect(await stores.laneLog.find(requestId)).toMatchObject({ status: 'failed', httpStatus: 429 });
  });

  it('is logged and told where only the acknowledgement of storing it was lost', async () => {
    const { requestId, world, sent, settleFailure } = await setUp();
    world.storeResult = async (id, result) => (await stores.requests.storeResult(id, result)) && false;
    await settleFailure({ requestId, failure, attempts: [] });
    expect(sent).toMatchObject([{ type: 'failed', status: 429 }]);
    expect(await stores.laneLog.find(requestId)).toMatchObject({ status: 'failed', httpStatus: 429 });
  });

  it('is neither told nor logged when a lane has answered meanwhile', async () => {
    const { requestId, sent, settleFailure } = await setUp();
    await stores.requests.storeResult(requestId, { status: 200, body: '{}', laneId: 'a', at: 5 });
    await settleFailure({ requestId, failure, attempts: [] });
    expect(sent).toEqual([]);
    expect(await stores.laneLog.find(requestId)).toBeNull();
  });
});
