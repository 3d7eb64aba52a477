import { ApplicationFailure, Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import { WorkflowFailedError, type WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type {
  CompletionInput,
  ServeRequestInput,
  ServeResult,
  SettleCancelledInput,
  SettleFailureInput,
} from '../../core/contracts/completion.ts';
import type { AttemptFailure, FailureClass } from '../../core/contracts/failure.ts';
import type { PlannedLane } from '../../core/contracts/lane.ts';
import { WORKFLOW_TASK_QUEUE } from '../../core/contracts/queues.ts';
import { SAME_LANE_RETRY_MS } from '../../core/contracts/timings.ts';
import type { completionWorkflow } from '../../workflows/completion.ts';
import { plantFailure, plantLane } from '../support/planted.ts';
import { openTestTemporal, type TestTemporal } from '../support/temporal.ts';
import { PATIENT } from '../support/patience.ts';

type Serve = (input: ServeRequestInput) => Promise<ServeResult>;

let temporal: TestTemporal;
/** What each lane does, and what was asked of whom. */
let lanes: { a: Serve; b: Serve };
let served: ServeRequestInput[];
let settled: SettleFailureInput[];
let cancelled: SettleCancelledInput[];
let runs = 0;

beforeAll(async () => {
  temporal = await openTestTemporal();
  await temporal.serveWorkflows({
    settleFailure: async (input: SettleFailureInput) => void settled.push(input),
    settleCancelled: async (input: SettleCancelledInput) => void cancelled.push(input),
  });
  for (const laneId of ['a', 'b'] as const) {
    await temporal.serveLane(laneId, {
      serveRequest: (input) => {
        served.push(input);
        return lanes[laneId](input);
      },
    });
  }
});
afterAll(() => temporal.release());
beforeEach(() => {
  served = [];
  settled = [];
  cancelled = [];
  lanes = { a: answer, b: answer };
});

const record = (input: ServeRequestInput, outcome: 'answered' | FailureClass) => ({
  laneId: input.lane.laneId,
  attempt: input.attempt,
  outcome,
  reachedUpstream: true,
  startedAt: 1,
  durationMs: 1,
});
const answer: Serve = async (input) => ({ ok: true, record: record(input, 'answered') });
const fail =
  (failureClass: FailureClass, given: Partial<AttemptFailure> = {}): Serve =>
  async (input) => ({ ok: false, record: record(input, failureClass), failure: plantFailure(failureClass, given) });

function start(given: Partial<CompletionInput> = {}) {
  runs += 1;
  return temporal.environment.client.workflow.start<typeof completionWorkflow>('completionWorkflow', {
    workflowId: `completion/req_${runs}`,
    taskQueue: WORKFLOW_TASK_QUEUE,
    args: [
      {
        requestId: `req_${runs}`,
        keyId: 'key_1',
        plan: [plantLane('a'), plantLane('b')],
        deadlineAt: Date.now() + 60_000,
        ...given,
      },
    ],
  });
}

/** The waits of a workflow, in milliseconds, as its history has them. */
async function waits(handle: WorkflowHandleWithFirstExecutionRunId<typeof completionWorkflow>): Promise<number[]> {
  const { events } = await handle.fetchHistory();
  return (events ?? []).flatMap(({ timerStartedEventAttributes: timer }) =>
    timer?.startToFireTimeout
      ? [Number(timer.startToFireTimeout.seconds ?? 0) * 1_000 + (timer.startToFireTimeout.nanos ?? 0) / 1e6]
      : [],
  );
}
const lanesAsked = (): string[] => served.map(({ lane }) => lane.laneId);

describe('a completion', () => {
  it('is answered by the first lane of the plan', async () => {
    const outcome = await (await start()).result();
    expect(outcome).toMatchObject({ answered: true, laneId: 'a', attempts: [{ laneId: 'a', attempt: 1 }] });
    expect(served[0]).toMatchObject({ attempt: 1, previous: [] });
    expect(served[0]?.lane).not.toHaveProperty('unavailableUntil');
    expect(settled).toEqual([]);
  });

  it.each(['window_exhausted', 'unauthorized', 'model_unavailable', 'lane_unavailable', 'unsupported'] as const)(
    'goes to the next lane without a wait when the first is %s',
    async (failureClass) => {
      lanes.a = fail(failureClass);
      const handle = await start();
      expect(await handle.result()).toMatchObject({ answered: true, laneId: 'b' });
      expect(await waits(handle)).toEqual([]);
      expect(served[1]).toMatchObject({ attempt: 2, previous: [{ laneId: 'a', outcome: failureClass }] });
      expect(settled).toEqual([]);
    },
  );

  it('tries a broken lane once more, then the next', async () => {
    lanes.a = fail('broken');
    const handle = await start();
    expect(await handle.result()).toMatchObject({ answered: true, laneId: 'b' });
    expect(lanesAsked()).toEqual(['a', 'a', 'b']);
    expect(served.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    expect(await waits(handle)).toEqual([SAME_LANE_RETRY_MS]);
  });

  it('passes over a lane that is out, and asks it nothing', async () => {
    const plan: PlannedLane[] = [plantLane('a', { unavailableUntil: Date.now() + 3_600_000 }), plantLane('b')];
    expect(await (await start({ plan })).result()).toMatchObject({ laneId: 'b' });
    expect(lanesAsked()).toEqual(['b']);
  });

  it('leaves a caller’s own fault to the lane’s activity: nobody else is asked, nothing is told twice', async () => {
    lanes.a = fail('caller_fault');
    expect(await (await start()).result()).toMatchObject({ answered: false, attempts: [{ outcome: 'caller_fault' }] });
    expect(lanesAsked()).toEqual(['a']);
    expect(settled).toEqual([]);
  });

  it('tells the caller the earliest reset when every lane is out', async () => {
    const resetsAt = Date.now() + 3_600_000;
    lanes.a = fail('window_exhausted', { unavailableUntil: resetsAt + 1_000 });
    lanes.b = fail('window_exhausted', { unavailableUntil: resetsAt });
    expect(await (await start()).result()).toMatchObject({ answered: false });
    expect(settled).toMatchObject([
      { resetsAt, failure: { class: 'window_exhausted' }, attempts: [{ attempt: 1 }, { attempt: 2 }] },
    ]);
  });

  it('tells no reset when a lane failed otherwise', async () => {
    lanes.a = fail('window_exhausted', { unavailableUntil: Date.now() + 3_600_000 });
    lanes.b = fail('broken');
    await (await start()).result();
    expect(settled).toHaveLength(1);
    expect(settled[0]).not.toHaveProperty('resetsAt');
    expect(settled[0]?.failure.class).toBe('broken');
  });

  it('tells of the lane that will be back, not of the one that can’t do it', async () => {
    const resetsAt = Date.now() + 3_600_000;
    lanes.a = fail('window_exhausted', { unavailableUntil: resetsAt });
    lanes.b = fail('unsupported', { param: 'n' });
    await (await start()).result();
    const plan: PlannedLane[] = [plantLane('a', { unavailableUntil: resetsAt }), plantLane('b')];
    await (await start({ plan })).result();
    expect(settled).toMatchObject([
      { resetsAt, failure: { class: 'window_exhausted' } },
      { resetsAt, failure: { class: 'lane_unavailable' } },
    ]);
  });

  it('tells which parameter it was when no lane can do what is asked', async () => {
    lanes.a = fail('unsupported', { param: 'n' });
    lanes.b = fail('model_unavailable');
    await (await start()).result();
    expect(settled).toMatchObject([{ failure: { class: 'unsupported', param: 'n' } }]);
    expect(settled[0]).not.toHaveProperty('resetsAt');
  });

  it('fails at once when a part of the answer has reached the caller', async () => {
    lanes.a = fail('broken', { answerStarted: true });
    expect(await (await start()).result()).toMatchObject({ answered: false });
    expect(lanesAsked()).toEqual(['a']);
    expect(settled).toMatchObject([{ failure: { class: 'broken', answerStarted: true } }]);
  });

  it('asks nobody after the deadline and tells the caller', async () => {
    await (await start({ deadlineAt: Date.now() - 1 })).result();
    expect(served).toEqual([]);
    expect(settled).toMatchObject([{ failure: { class: 'lane_unavailable' }, attempts: [] }]);
  });

  it('takes an activity that can’t go on as a lost process: once more, then the next lane', async () => {
    lanes.a = async () => {
      throw ApplicationFailure.nonRetryable('no such request');
    };
    expect(await (await start()).result()).toMatchObject({
      laneId: 'b',
      attempts: [{ outcome: 'process_lost' }, { outcome: 'process_lost' }, { outcome: 'answered' }],
    });
  });

  it('cancels the attempt under way when it is cancelled, and asks nobody else', async () => {
    let attemptEnded = false;
    lanes.a = async (input) => {
      const context = Context.current();
      const beat = setInterval(() => context.heartbeat(), 50);
      try {
        return await context.cancelled.then(() => answer(input));
      } finally {
        clearInterval(beat);
        attemptEnded = true;
      }
    };
    const handle = await start();
    await vi.waitFor(() => expect(served).toHaveLength(1), PATIENT);
    await handle.cancel();
    const error: unknown = await handle.result().catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(WorkflowFailedError);
    expect((error as WorkflowFailedError).cause).toBeInstanceOf(CancelledFailure);
    expect(attemptEnded).toBe(true);
    expect(lanesAsked()).toEqual(['a']);
    expect(settled).toEqual([]);
  });
});

describe('a completion whose caller has left', () => {
  const isCancelled = async (
    handle: WorkflowHandleWithFirstExecutionRunId<typeof completionWorkflow>,
  ): Promise<boolean> => {
    const error: unknown = await handle.result().catch((cause: unknown) => cause);
    return error instanceof WorkflowFailedError && error.cause instanceof CancelledFailure;
  };

  it('is written down with the attempts that were made and the one that was under way', async () => {
    lanes.a = fail('window_exhausted');
    lanes.b = async (input) => {
      const context = Context.current();
      const beat = setInterval(() => context.heartbeat(), 50);
      try {
        return await context.cancelled.then(() => answer(input));
      } catch {
        throw new CancelledFailure('the request was cancelled', [record(input, 'cancelled')]);
      } finally {
        clearInterval(beat);
      }
    };
    const handle = await start();
    await vi.waitFor(() => expect(served).toHaveLength(2), PATIENT);
    await handle.cancel();
    expect(await isCancelled(handle)).toBe(true);
    expect(cancelled).toMatchObject([
      {
        requestId: expect.stringMatching(/^req_/) as string,
        attempts: [
          { laneId: 'a', outcome: 'window_exhausted' },
          { laneId: 'b', outcome: 'cancelled', reachedUpstream: true },
        ],
      },
    ]);
  });

  it('is written down when it waits between two attempts', async () => {
    lanes.a = fail('rate_limited', { unavailableUntil: Date.now() + 4_000 });
    const handle = await start({ plan: [plantLane('a')] });
    await vi.waitFor(() => expect(served).toHaveLength(1), PATIENT);
    await vi.waitFor(async () => expect(await waits(handle)).toHaveLength(1), PATIENT);
    await handle.cancel();
    expect(await isCancelled(handle)).toBe(true);
    expect(cancelled).toMatchObject([{ attempts: [{ outcome: 'rate_limited' }] }]);
  });

  it('is written down when its lane notices that before the cancellation comes', async () => {
    lanes.a = fail('cancelled');
    expect(await (await start()).result()).toMatchObject({ answered: false });
    expect(cancelled).toMatchObject([{ attempts: [{ laneId: 'a', outcome: 'cancelled' }] }]);
    expect(settled).toEqual([]);
  });

  it('is not written down here when it was answered', async () => {
    await (await start()).result();
    expect(cancelled).toEqual([]);
  });
});
