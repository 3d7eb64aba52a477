import { WorkflowNotFoundError } from '@temporalio/client';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CallerGone } from '../../../api/completions/run-completion.ts';
import type { ReplyEnd } from '../../../core/reply.ts';
import { createClaims, type Claims } from '../../../api/idempotency/claims.ts';
import { createRunOnce, type RunOnce } from '../../../api/idempotency/run-once.ts';
import { ApiError } from '../../../core/errors.ts';
import { createIdempotencyStore, type IdempotencyStore } from '../../../store/idempotency.ts';
import { createRequestStore, type RequestResult, type RequestStore } from '../../../store/requests.ts';
import { createMovableClock } from '../../support/movable-clock.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';

const LONG_AFTER_MS = 60_000;
const notFound = () => new WorkflowNotFoundError('no such workflow', 'w', undefined);
const doneWith = (body: string): ReplyEnd => {
  const meta = { laneId: 'a', laneAlias: 'home', attempts: 1, costMicros: 0, meterMicros: 5, ignoredParams: [] };
  return { type: 'done', body, meta };
};

let database: TestDatabase;
let idempotency: IdempotencyStore;
let requests: RequestStore;
let claims: Claims;
let clock: ReturnType<typeof createMovableClock>;
let runOnce: RunOnce;
let watched: () => Promise<ReplyEnd>;
let worked: string[];
let claimId: string;
let tests = 0;

beforeAll(async () => {
  database = await openTestDatabase();
  idempotency = createIdempotencyStore(database.db);
  requests = createRequestStore(database.db);
});
afterAll(() => database.release());
beforeEach(() => {
  clock = createMovableClock();
  claims = createClaims({ idempotency, clock });
  watched = () => Promise.reject(notFound());
  worked = [];
  claimId = `key_1:${(tests += 1)}`;
  runOnce = createRunOnce({ claims, requests, watchCompletion: () => watched(), clock });
});

const call = (requestId: string, work = (_id: string): Promise<ReplyEnd> => Promise.resolve(doneWith('"made"'))) =>
  runOnce({
    keyed: { claimId, bodyHash: 'body' },
    requestId: `${claimId}/${requestId}`,
    signal: new AbortController().signal,
    work: async (id) => {
      worked.push(id.slice(claimId.length + 1));
      return work(id);
    },
  });

/** The request as the database has it, with a result or without one. */
const storeRequest = async (requestId: string, result: Partial<RequestResult> | null): Promise<void> => {
  const rest = { keyId: 'key_1', model: 'm', body: '{}', stream: false, replyTo: null, createdAt: 1, expireAt: 2 };
  const whole = result && { status: 200, body: '"stored"', laneId: 'a', at: clock.now(), ...result };
  await requests.insertOnce({ _id: `${claimId}/${requestId}`, ...rest, result: whole });
};

describe('a completion with an idempotency key', () => {
  it('is worked on once, and repeated from what is stored', async () => {
    expect(await call('one')).toMatchObject({ end: { body: '"made"' }, isReplay: false });
    await storeRequest('one', {});
    expect(await call('two')).toMatchObject({ requestId: `${claimId}/one`, end: { body: '"stored"' }, isReplay: true });
    expect(worked).toEqual(['one']);
  });

  it('is joined through its workflow while it runs', async () => {
    await claims.enter(claimId, 'body', `${claimId}/one`);
    watched = () => Promise.resolve(doneWith('"watched"'));
    expect(await call('two')).toMatchObject({ end: { body: '"watched"' }, isReplay: true });
    expect(worked).toEqual([]);
  });

  it('is begun by the repeat, under its own id, when its process died before the workflow', async () => {
    await claims.enter(claimId, 'body', `${claimId}/one`);
    clock.advance(LONG_AFTER_MS);
    expect(await call('two')).toMatchObject({ requestId: `${claimId}/one`, isReplay: false });
    expect(worked).toEqual(['one']);
  });

  it('waits for a process that is about to begin', async () => {
    await claims.enter(claimId, 'body', `${claimId}/one`);
    let looks = 0;
    watched = () => ((looks += 1) < 3 ? Promise.reject(notFound()) : Promise.resolve(doneWith('"begun"')));
    expect(await call('two')).toMatchObject({ end: { body: '"begun"' } });
    expect(worked).toEqual([]);
  });

  it.each([502, 503, 429, 409, 408])('is begun anew after a %d, by one of many repeats', async (status) => {
    const failed: ReplyEnd = { type: 'failed', status, body: '{}', attempts: 1 };
    await call('one', async () => failed);
    await storeRequest('one', { status, laneId: null });
    watched = () => Promise.resolve(doneWith('"second"'));
    const ends = await Promise.all(['two', 'three', 'four'].map((id) => call(id)));
    expect(worked).toHaveLength(2);
    for (const end of ends) expect(end).toMatchObject({ requestId: `${claimId}/${worked[1] ?? ''}` });
  });

  it('is not begun anew after a failure that was paid for', async () => {
    await call('one');
    await storeRequest('one', { status: 502, laneId: 'a', shouldRetry: false });
    expect(await call('two')).toMatchObject({ end: { type: 'failed', status: 502 }, isReplay: true });
    expect(worked).toEqual(['one']);
  });

  it('is begun anew when its workflow ended without an answer, unless one is stored after all', async () => {
    await call('one');
    watched = async () => {
      await storeRequest('one', {});
      throw new ApiError('internal', 'no answer');
    };
    expect(await call('two')).toMatchObject({ end: { body: '"stored"' }, isReplay: true });
    claimId += '-lost';
    await call('one');
    watched = () => Promise.reject(new ApiError('internal', 'no answer'));
    expect(await call('two')).toMatchObject({ requestId: `${claimId}/two`, isReplay: false });
  });

  it('keeps a refusal from before the work, and not one that may be over soon', async () => {
    const refuse = (refusal: ApiError) => async (): Promise<never> => {
      throw refusal;
    };
    await expect(call('one', refuse(new ApiError('usage_limit_reached', 'out')))).rejects.toThrow('out');
    await expect(call('two', refuse(new ApiError('model_not_found', 'unknown')))).rejects.toThrow('unknown');
    expect(await call('three')).toMatchObject({ refusal: { status: 404 } });
    expect(worked).toEqual(['one', 'one']);
  });

  it('lets go of a caller who is gone, and the work stays with its id', async () => {
    await expect(call('one', () => Promise.reject(new CallerGone()))).rejects.toThrow(CallerGone);
    watched = () => Promise.resolve(doneWith('"went on"'));
    expect(await call('two')).toMatchObject({ requestId: `${claimId}/one`, end: { body: '"went on"' } });
    const gone = new AbortController();
    watched = () => new Promise(() => undefined);
    const leaving = runOnce({
      keyed: { claimId, bodyHash: 'body' },
      requestId: 'three',
      signal: gone.signal,
      work: () => Promise.reject(new Error('not mine')),
    });
    gone.abort();
    await expect(leaving).rejects.toThrow(CallerGone);
  });
});
