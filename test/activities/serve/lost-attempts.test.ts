import { CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createStores, type Stores } from '../../../store/stores.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';
import { PATIENT } from '../../support/patience.ts';
import { plantFailure, plantLane } from '../../support/planted.ts';
import { setUpRequest } from '../../support/served-request.ts';

let database: TestDatabase;
let stores: Stores;
beforeAll(async () => {
  database = await openTestDatabase();
  stores = createStores(database.db);
});
afterAll(() => database.release());

/** @param heartbeatDetails what the delivery before has left */
const delivered = (attempt: number, heartbeatDetails?: unknown) =>
  new MockActivityEnvironment({ attempt, heartbeatDetails });
const LOST = { laneId: 'a', attempt: 1, outcome: 'process_lost', reachedUpstream: true, costUnknown: true };

/** What an earlier delivery has paid for. */
const settled = (requestId: string, delivery: number, costMicros: number | null) =>
  stores.ledger.settle([
    {
      _id: `${requestId}#1.${delivery}`,
      itemId: requestId,
      batchId: null,
      keyId: 'key_1',
      laneId: 'a',
      costMicros,
      meterMicros: costMicros,
      at: 1,
    },
  ]);

describe('a delivery of a request that was not the first', () => {
  it('tells of the earlier ones on a metered lane, which may have been paid for', async () => {
    const { requestId, serve } = await setUpRequest(stores);
    expect(await serve({}, delivered(3))).toMatchObject({ ok: true, record: { outcome: 'answered' } });
    expect(await stores.laneLog.find(requestId)).toMatchObject({
      status: 'answered',
      costMicros: 9,
      attempts: [LOST, LOST, { outcome: 'answered' }],
    });
  });

  it('tells nothing of those that have sent nothing', async () => {
    const { requestId, world, serve } = await setUpRequest(stores);
    world.outcome = () => ({ ok: false, failure: plantFailure('caller_fault', { upstreamStatus: 400 }) });
    await serve({}, delivered(3, [1, 2]));
    const entry = await stores.laneLog.find(requestId);
    expect(entry).toMatchObject({ costMicros: 0, attempts: [{ outcome: 'caller_fault' }] });
    expect(entry?.attempts).toHaveLength(1);

    const other = await setUpRequest(stores);
    await settled(other.requestId, 1, 4);
    await other.serve({}, delivered(3, [2]));
    const { attempts } = (await stores.laneLog.find(other.requestId)) ?? {};
    expect(attempts).toMatchObject([{ outcome: 'process_lost' }, { outcome: 'answered' }]);
    // That of the first delivery, whose price is known.
    expect(attempts?.[0]).not.toHaveProperty('costUnknown');
  });

  it('knows what an earlier one cost where the ledger has its price', async () => {
    const { requestId, serve } = await setUpRequest(stores);
    await settled(requestId, 1, 4);
    await settled(requestId, 2, null);
    await serve({}, delivered(3));
    const { attempts } = (await stores.laneLog.find(requestId)) ?? {};
    expect(attempts?.map(({ outcome, costUnknown = false }) => [outcome, costUnknown])).toEqual([
      ['process_lost', false],
      ['process_lost', true],
      ['answered', false],
    ]);
  });

  it('looks into the ledger when it is over: what was taken for dead may have settled meanwhile', async () => {
    const { requestId, world, serve } = await setUpRequest(stores);
    world.meanwhile = () => settled(requestId, 1, 4);
    await serve({}, delivered(2));
    const { attempts } = (await stores.laneLog.find(requestId)) ?? {};
    expect(attempts).toHaveLength(2);
    expect(attempts?.[0]).not.toHaveProperty('costUnknown');
  });

  it('does not make a refusal a request that has cost nothing', async () => {
    const { requestId, world, serve } = await setUpRequest(stores);
    world.outcome = () => ({ ok: false, failure: plantFailure('caller_fault', { upstreamStatus: 400 }) });
    await serve({}, delivered(2));
    expect(await stores.laneLog.find(requestId)).toMatchObject({
      status: 'failed',
      costMicros: null,
      attempts: [LOST, { outcome: 'caller_fault' }],
    });
  });

  it('makes a refusal cost what the ledger has of the earlier ones', async () => {
    const { requestId, world, serve } = await setUpRequest(stores);
    await settled(requestId, 1, 4);
    await settled(requestId, 2, 5);
    world.outcome = () => ({ ok: false, failure: plantFailure('caller_fault', { upstreamStatus: 400 }) });
    await serve({}, delivered(3));
    expect(await stores.laneLog.find(requestId)).toMatchObject({ status: 'failed', costMicros: 9, meterMicros: 9 });
  });

  it.each([
    ['what the ledger has', 5, {}, 9],
    ['an unknown amount where the ledger has no price', null, {}, null],
    ['an unknown amount where an attempt was cut off', 5, { costUnknown: true as const }, null],
  ])('makes a request that no lane could answer cost %s', async (_what, second, cutOff, costMicros) => {
    const { requestId, settleFailure } = await setUpRequest(stores);
    await settled(requestId, 1, 4);
    await settled(requestId, 2, second);
    const failure = plantFailure('overloaded', { upstreamStatus: 503 });
    const record = {
      laneId: 'a',
      attempt: 1,
      outcome: failure.class,
      reachedUpstream: true,
      startedAt: 1,
      durationMs: 1,
    };
    await settleFailure({ requestId, failure, attempts: [{ ...record, ...cutOff }] });
    expect(await stores.laneLog.find(requestId)).toMatchObject({ status: 'failed', costMicros });
  });

  it('gives its workflow a record whose cost is unknown where another lane goes on', async () => {
    const { world, serve } = await setUpRequest(stores);
    world.outcome = () => ({ ok: false, failure: plantFailure('overloaded', { upstreamStatus: 503 }) });
    expect(await serve({}, delivered(2))).toMatchObject({ record: { outcome: 'overloaded', costUnknown: true } });
    expect((await serve()).record).not.toHaveProperty('costUnknown');
  });

  it('gives its workflow such a record also when it is cancelled before it has reached the upstream', async () => {
    const { calls, world, serve } = await setUpRequest(stores);
    world.meanwhile = (signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', resolve);
      });
    world.outcome = () => ({ ok: false, failure: plantFailure('cancelled', { reachedUpstream: false }) });
    const environment = delivered(2);
    const running = serve({}, environment).catch((error: unknown) => error);
    await vi.waitFor(() => expect(calls).toHaveLength(1), PATIENT);
    environment.cancel();
    const error = await running;
    expect(error).toBeInstanceOf(CancelledFailure);
    expect((error as CancelledFailure).details).toMatchObject([{ outcome: 'cancelled', costUnknown: true }]);
  });

  it.each([
    ['on a plan lane, which nobody pays for by the token', { lane: plantLane('a') }],
    ['where its failure is played', { drill: 'server_error' as const }],
  ])('has nothing to tell of the earlier ones %s', async (_where, given) => {
    const { requestId, world, serve } = await setUpRequest(stores);
    world.outcome = () => ({ ok: false, failure: plantFailure('caller_fault', { upstreamStatus: 400 }) });
    const { record } = await serve(given, delivered(2));
    expect(record).not.toHaveProperty('costUnknown');
    expect((await stores.laneLog.find(requestId))?.attempts ?? [record]).toHaveLength(1);
  });
});

describe('what a delivery of a request leaves for the next one', () => {
  it('says that it has sent nothing, beside those before it, when it ends with an error before it goes out', async () => {
    const { calls, serve } = await setUpRequest(stores);
    const environment = delivered(3, [1]);
    const said: unknown[] = [];
    environment.on('heartbeat', (details) => said.push(details));
    environment.cancel();
    await expect(serve({}, environment)).rejects.toBeInstanceOf(CancelledFailure);
    expect(calls).toEqual([]);
    expect(said).toEqual([[1], [1, 3]]);
  });

  it('says nothing of itself once it has gone out', async () => {
    const { calls, world, serve } = await setUpRequest(stores);
    world.meanwhile = (signal) => new Promise((resolve) => signal.addEventListener('abort', resolve));
    world.outcome = () => ({ ok: false, failure: plantFailure('cancelled') });
    const environment = delivered(2, [1]);
    const said: unknown[] = [];
    environment.on('heartbeat', (details) => said.push(details));
    const running = serve({}, environment).catch((error: unknown) => error);
    await vi.waitFor(() => expect(calls).toHaveLength(1), PATIENT);
    environment.cancel();
    expect(await running).toBeInstanceOf(CancelledFailure);
    expect(new Set(said.map((details) => JSON.stringify(details)))).toEqual(new Set(['[1]']));
  });

  it('is said while the database is away: it waits for its request with signs of life', async () => {
    const environment = delivered(1);
    const said: unknown[] = [];
    environment.on('heartbeat', (details) => said.push(details));
    vi.spyOn(stores.requests, 'find').mockImplementationOnce(async () => {
      expect(said).toEqual([[]]);
      throw new Error('the database is away');
    });
    const { serve } = await setUpRequest(stores);
    expect(await serve({}, environment)).toMatchObject({ ok: true });
  });
});
