import { CancelledFailure } from '@temporalio/activity';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { tryLane, type ActivityTry, type TriedLane } from '../../../activities/serve/try-lane.ts';
import type { HostedLane } from '../../../lanes/policy/hosted-lane.ts';
import type { AttemptFailure } from '../../../core/contracts/failure.ts';
import {
  ATTEMPT_DEADLINE_MS,
  INTERACTIVE_SLOT_WAIT_MS,
  LINE_WAIT_IN_WORKER_MS,
} from '../../../core/contracts/timings.ts';
import type { LaneCall, LaneOutcome } from '../../../core/lane-port.ts';
import { createSlots } from '../../../lanes/policy/slots.ts';
import { createMovableClock } from '../../support/movable-clock.ts';
import { plantFailure, plantLane } from '../../support/planted.ts';

const ANSWER: LaneOutcome = { ok: true, body: '{}', usage: null, ignoredParams: [] };

afterEach(() => void vi.useRealTimers());

/** One hosted lane whose answer, availability and slots the test has in hand. */
function setUp(complete: (call: LaneCall) => Promise<LaneOutcome> = async () => ANSWER, limit = 1) {
  const clock = createMovableClock();
  const environment = new MockActivityEnvironment();
  const slots = createSlots(limit);
  const calls: LaneCall[] = [];
  const reported: (AttemptFailure | 'answer')[] = [];
  const world = { availability: { open: true } as ReturnType<HostedLane['availability']>, hosted: true };
  const hosted: HostedLane = {
    lane: {
      complete: (call) => {
        calls.push(call);
        return complete(call);
      },
    },
    availability: () => world.availability,
    acquire: (priority, signal) => slots.acquire(priority, signal),
    reportFailure: async (failure) => void reported.push(failure),
    reportAnswer: async () => void reported.push('answer'),
  };
  const run = (given: Partial<ActivityTry> = {}): Promise<TriedLane> =>
    environment.run(() =>
      tryLane({ find: () => (world.hosted ? hosted : undefined) }, clock, {
        itemId: 'req_1',
        body: { model: 'asked' },
        lane: plantLane('a', { model: 'theirs' }),
        attempt: 3,
        priority: 'interactive',
        deadlineAt: clock.now() + 1_000,
        stream: false,
        onChunk: async () => undefined,
        ...given,
      }),
    );
  return { clock, environment, slots, calls, reported, world, run };
}

/** A lane that works until its signal is aborted, as a real one does. */
const untilAborted = ({ signal }: LaneCall): Promise<LaneOutcome> =>
  new Promise((resolve) => {
    const end = (): void => resolve({ ok: false, failure: plantFailure('cancelled') });
    if (signal.aborted) end();
    signal.addEventListener('abort', end);
  });

describe('an attempt on a lane', () => {
  it('gives the lane the call, takes the answer in, and frees the slot', async () => {
    const { clock, slots, calls, reported, run } = setUp(async () => {
      clock.advance(40);
      return ANSWER;
    });
    const startedAt = clock.now();
    const { outcome, record } = await run();
    expect(outcome).toBe(ANSWER);
    expect(record).toEqual({
      laneId: 'a',
      attempt: 3,
      outcome: 'answered',
      reachedUpstream: true,
      startedAt,
      durationMs: 40,
    });
    expect(calls[0]).toMatchObject({ requestId: 'req_1', model: 'theirs', body: { model: 'asked' }, stream: false });
    expect(reported).toEqual(['answer']);
    expect(slots.inUse).toBe(0);
  });

  it('ends an answer that no document can hold: once, without harm to the lane, and paid for', async () => {
    const huge: LaneOutcome = { ...ANSWER, body: `{"a":"${'é'.repeat(8 * 1024 * 1024)}"}` };
    const { reported, run } = setUp(async () => huge);
    const { outcome, record, billed } = await run();
    expect(outcome).toMatchObject({ ok: false, failure: { class: 'caller_fault' }, callerAnswer: { status: 502 } });
    expect(record).toMatchObject({ outcome: 'caller_fault', reachedUpstream: true });
    expect(billed).toEqual({ usage: null });
    expect(reported).toEqual(['answer']);
  });

  it('ends at the attempt’s own limit where the request may take longer', async () => {
    const { clock, calls, run } = setUp();
    const now = clock.now();
    await run({ deadlineAt: now + ATTEMPT_DEADLINE_MS + 1 });
    await run({ deadlineAt: now + 5 });
    expect(calls.map(({ deadlineAt }) => deadlineAt)).toEqual([now + ATTEMPT_DEADLINE_MS, now + 5]);
  });

  it('takes a failure in, keeps its words in the record, and frees the slot', async () => {
    const failure = plantFailure('unsupported', { param: 'n', reachedUpstream: false });
    const { slots, reported, run } = setUp(async () => ({ ok: false, failure }));
    const { record } = await run();
    expect(record).toMatchObject({ outcome: 'unsupported', reason: 'planted', param: 'n', reachedUpstream: false });
    expect(reported).toEqual([failure]);
    expect(slots.inUse).toBe(0);
  });

  it('frees the slot when the lane throws', async () => {
    const { slots, run } = setUp(() => Promise.reject(new Error('a bug')));
    await expect(run()).rejects.toThrow('a bug');
    expect(slots.inUse).toBe(0);
  });
});

describe('a lane that takes nothing', () => {
  const unavailable = {
    ok: false,
    failure: { class: 'lane_unavailable', reachedUpstream: false, answerStarted: false },
  };

  it('is one that this worker does not host any more', async () => {
    const { world, run } = setUp();
    world.hosted = false;
    expect((await run()).outcome).toMatchObject(unavailable);
  });

  it('is one that is closed: nobody is asked, and until when is passed on', async () => {
    const { world, calls, reported, run } = setUp();
    world.availability = { open: false, until: 1_234, why: 'out of window' };
    const { outcome, record } = await run();
    expect(outcome).toMatchObject(unavailable);
    expect(outcome).toMatchObject({ failure: { unavailableUntil: 1_234, reason: 'out of window' } });
    expect(record).toMatchObject({ outcome: 'lane_unavailable', reachedUpstream: false });
    world.availability = { open: false, why: 'off' };
    expect((await run()).outcome).not.toHaveProperty('failure.unavailableUntil');
    expect(calls).toEqual([]);
    expect(reported).toEqual([]);
  });

  it('is one that was closed while the request waited for its slot', async () => {
    const { world, slots, calls, run } = setUp();
    const release = await slots.acquire('batch', new AbortController().signal);
    const trying = run();
    world.availability = { open: false, why: 'out of window' };
    release();
    expect((await trying).outcome).toMatchObject(unavailable);
    expect(calls).toEqual([]);
    expect(slots.inUse).toBe(0);
  });

  it('is one that has no slot for a person in time, while a batch line goes on waiting', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { slots, run } = setUp();
    const release = await slots.acquire('batch', new AbortController().signal);
    const person = run();
    const line = run({ priority: 'batch' });
    await vi.advanceTimersByTimeAsync(INTERACTIVE_SLOT_WAIT_MS);
    expect((await person).outcome).toMatchObject(unavailable);
    release();
    expect((await line).outcome).toBe(ANSWER);
  });

  it('is one that has no slot for a batch line for so long: it goes back unsent, and may come again at once', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { clock, slots, calls, run } = setUp();
    const release = await slots.acquire('batch', new AbortController().signal);
    const line = run({ priority: 'batch' });
    await vi.advanceTimersByTimeAsync(LINE_WAIT_IN_WORKER_MS);
    const { outcome } = await line;
    expect(outcome).toMatchObject(unavailable);
    expect(outcome).toMatchObject({ failure: { unavailableUntil: clock.now() } });
    release();
    expect(calls).toEqual([]);
    expect(slots.inUse).toBe(0);
  });
});

describe('an attempt that is given up', () => {
  it('is a cancellation for Temporal when Temporal cancelled it', async () => {
    const { environment, slots, run } = setUp(untilAborted);
    const trying = run();
    environment.cancel();
    await expect(trying).rejects.toBeInstanceOf(CancelledFailure);
    expect(slots.inUse).toBe(0);
  });

  it('says in the cancellation how far it had come', async () => {
    const { environment, run } = setUp(untilAborted);
    const trying = run();
    environment.cancel();
    await expect(trying).rejects.toMatchObject({ details: [{ laneId: 'a', attempt: 3, outcome: 'cancelled' }] });
  });

  it('is a cancellation for Temporal while it waits for its slot, too', async () => {
    const { environment, slots, run } = setUp();
    const release = await slots.acquire('batch', new AbortController().signal);
    const trying = run();
    environment.cancel();
    await expect(trying).rejects.toBeInstanceOf(CancelledFailure);
    release();
    expect(slots.inUse).toBe(0);
  });

  it('is an outcome when the caller is gone, and harms no lane', async () => {
    const { reported, run } = setUp(untilAborted);
    const caller = new AbortController();
    const trying = run({ callerGone: caller.signal });
    caller.abort();
    const { record } = await trying;
    expect(record.outcome).toBe('cancelled');
    expect(reported).toMatchObject([{ class: 'cancelled' }]);
  });

  it('keeps an answer that was there before the cancellation', async () => {
    const { environment, run } = setUp(async () => {
      environment.cancel();
      return ANSWER;
    });
    expect((await run()).outcome).toBe(ANSWER);
  });
});
