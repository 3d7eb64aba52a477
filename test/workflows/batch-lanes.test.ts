import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  GROUP_LINES,
  GROUPS_IN_FLIGHT,
  OWN_TROUBLES_BEFORE_GIVING_UP,
  type CarriedLine,
  type KeepAttemptsInput,
  type LineResult,
  type ServeLinesInput,
} from '../../core/contracts/batch.ts';
import { ATTEMPT_DEADLINE_MS, LINE_WAIT_IN_WORKER_MS, LOOK_WHILE_SERVING_MS } from '../../core/contracts/timings.ts';
import type { AttemptFailure, FailureClass } from '../../core/contracts/failure.ts';
import type { PlannedLane } from '../../core/contracts/lane.ts';
import { WORKFLOW_TASK_QUEUE } from '../../core/contracts/queues.ts';
import type { batchWorkflow } from '../../workflows/batch.ts';
import { plantFailure, plantLane } from '../support/planted.ts';
import { openTestTemporal, type TestTemporal } from '../support/temporal.ts';
import { PATIENT } from '../support/patience.ts';

type Serve = (input: ServeLinesInput) => Promise<LineResult[]>;

const PLAN = plantLane('plan_lane');
const KEY = plantLane('key_lane', { kind: 'key' });

let temporal: TestTemporal;
let runs = 0;
/** What each lane does, the lanes that there are, and what came of it. */
let world: {
  lines: number[];
  plan: () => readonly PlannedLane[];
  plan_lane: Serve;
  key_lane: Serve;
  served: ServeLinesInput[];
  settled: unknown[];
  /** What was kept of lines without an outcome. */
  kept: CarriedLine[];
  ended: string[];
};

const record = (input: ServeLinesInput, attempt: number, outcome: 'answered' | FailureClass) => ({
  laneId: input.lane.laneId,
  attempt,
  outcome,
  reachedUpstream: true,
  startedAt: 1,
  durationMs: 1,
});
const answer: Serve = async (input) =>
  input.lines.map(({ line, attempt }) => ({ line, record: record(input, attempt, 'answered') }));
const fail =
  (failureClass: FailureClass, given: () => Partial<AttemptFailure> = () => ({})): Serve =>
  async (input) =>
    input.lines.map(({ line, attempt }) => ({
      line,
      record: record(input, attempt, failureClass),
      failure: plantFailure(failureClass, given()),
    }));

beforeAll(async () => {
  temporal = await openTestTemporal();
  await temporal.serveWorkflows({
    validateBatch: async () => ({ valid: true, chunks: 1 }),
    loadChunk: async () => ({ models: [{ model: 'm', lines: world.lines }] }),
    planLanesFor: async ({ model }: { model: string }) => ({ model, lanes: world.plan() }),
    settleLines: async (input: unknown) => void world.settled.push(input),
    keepAttempts: async ({ lines }: KeepAttemptsInput) => void world.kept.push(...lines),
    sealChunk: async () => {},
    finalizeBatch: async ({ reason }: { reason: string }) => void world.ended.push(reason),
    announceBatch: async () => null,
  });
  for (const laneId of ['plan_lane', 'key_lane'] as const) {
    await temporal.serveLane(laneId, {
      serveLines: (input) => {
        world.served.push(input);
        return world[laneId](input);
      },
    });
  }
});
afterAll(() => temporal.release());
beforeEach(() => {
  world = {
    lines: [1],
    plan: () => [PLAN, KEY],
    plan_lane: answer,
    key_lane: answer,
    served: [],
    settled: [],
    kept: [],
    ended: [],
  };
});

/** Says that it goes on until something has happened. */
const beatUntil = async <T>(something: Promise<T>): Promise<T> => {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), 50);
  return something.finally(() => clearInterval(beat));
};
const untilCancelled = (): Promise<never> => beatUntil(Context.current().cancelled);

function start() {
  runs += 1;
  const batchId = `batch_${runs}`;
  return temporal.environment.client.workflow.start<typeof batchWorkflow>('batchWorkflow', {
    workflowId: batchId,
    taskQueue: WORKFLOW_TASK_QUEUE,
    args: [{ batchId, keyId: 'key_1', expiresAt: Date.now() + 60_000 }],
  });
}
const run = async (): Promise<void> => (await start()).result();

describe('the lines of a batch', () => {
  it('are served again when their chunk was cancelled by hand', async () => {
    world.plan_lane = untilCancelled;
    const handle = await start();
    await vi.waitFor(() => expect(world.served).toHaveLength(1), PATIENT);
    world.plan_lane = answer;
    await temporal.environment.client.workflow.getHandle(`batch_${runs}/chunk-0`).cancel();
    await handle.result();
    expect(world.served).toHaveLength(2);
    expect(world.ended).toEqual(['completed']);
  });

  it('leave behind what was tried when their batch is cancelled before they have an outcome', async () => {
    world.lines = [1, 2, 3, 4];
    // One is answered, one its caller's own fault, one goes on to the key lane, and one finds no room.
    const classes: readonly (FailureClass | undefined)[] = [
      undefined,
      'caller_fault',
      'unsupported',
      'lane_unavailable',
    ];
    world.plan_lane = async (input) =>
      input.lines.map(({ line, attempt }) => {
        const failureClass = classes[line - 1];
        const result = { line, record: record(input, attempt, failureClass ?? 'answered') };
        return failureClass === undefined ? result : { ...result, failure: plantFailure(failureClass) };
      });
    world.key_lane = untilCancelled;
    const handle = await start();
    await vi.waitFor(() => expect(world.served.at(-1)?.lane.laneId).toBe('key_lane'), PATIENT);
    await handle.cancel();
    await handle.result();
    const attempt = { laneId: 'plan_lane', attempt: 1, outcome: 'unsupported' };
    expect(world.kept).toMatchObject([{ line: 3, model: 'm', attempts: [attempt] }]);
  });

  it('leave behind attempts that were cut off, after those that had failed before', async () => {
    world.lines = [1, 2, 3];
    world.plan_lane = fail('unsupported');
    world.key_lane = (input) =>
      untilCancelled().catch(() => {
        const cut = input.lines
          .filter(({ line }) => line !== 3)
          .map(({ line, attempt }) => ({
            line,
            record: { ...record(input, attempt, 'cancelled'), costUnknown: true },
          }));
        throw new CancelledFailure('cancelled', [cut]);
      });
    const handle = await start();
    await vi.waitFor(() => expect(world.served.at(-1)?.lane.laneId).toBe('key_lane'), PATIENT);
    await handle.cancel();
    await handle.result();
    const unsupported = { laneId: 'plan_lane', attempt: 1, outcome: 'unsupported' };
    const cut = { laneId: 'key_lane', attempt: 2, outcome: 'cancelled', costUnknown: true };
    expect(world.kept.toSorted((a, b) => a.line - b.line)).toMatchObject([
      { line: 1, model: 'm', attempts: [unsupported, cut] },
      { line: 2, attempts: [unsupported, cut] },
      { line: 3, attempts: [unsupported] },
    ]);
  });

  it('leave behind the first attempt of all when it was cut off', async () => {
    world.plan = () => [KEY];
    world.key_lane = (input) =>
      untilCancelled().catch(() => {
        throw new CancelledFailure('cancelled', [[{ line: 1, record: record(input, 1, 'cancelled') }]]);
      });
    const handle = await start();
    await vi.waitFor(() => expect(world.served).toHaveLength(1), PATIENT);
    await handle.cancel();
    await handle.result();
    expect(world.kept).toMatchObject([{ line: 1, model: 'm', attempts: [{ attempt: 1, outcome: 'cancelled' }] }]);
  });

  it('wait for a lane that is out when the others can’t do what they ask', async () => {
    let outUntil = 0;
    world.plan_lane = async (input) => {
      if (outUntil > 0) return answer(input);
      outUntil = Date.now() + 500;
      return fail('window_exhausted', () => ({ unavailableUntil: outUntil }))(input);
    };
    world.key_lane = fail('unsupported');
    await run();
    expect(world.served.map(({ lane }) => lane.laneId)).toEqual(['plan_lane', 'key_lane', 'plan_lane']);
    expect(world.settled).toEqual([]);
  });

  it('go to a lane that is back while others are still out elsewhere', async () => {
    // More lines than are out at a time, so that some wait for either lane.
    const count = GROUP_LINES.key * GROUPS_IN_FLIGHT.key + 2;
    world.lines = Array.from({ length: count }, (_, index) => index + 1);
    const back = Date.now() + 2_000;
    world.plan = () => [{ ...PLAN, unavailableUntil: Date.now() < back ? back : 0 }, KEY];
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    world.key_lane = async (input) => {
      await beatUntil(held);
      return answer(input);
    };
    world.plan_lane = async (input) => {
      release();
      return answer(input);
    };
    await run();
    const served = world.served.flatMap(({ lines }) => lines.map(({ line }) => line));
    expect(served.toSorted((a, b) => a - b)).toEqual(world.lines);
    expect(world.served.at(-1)?.lane.laneId).toBe('plan_lane');
  });

  it('go again on their lane when an activity failed for our own part, as soon as planning is possible', async () => {
    world.lines = [1, 2, 3];
    const failures = OWN_TROUBLES_BEFORE_GIVING_UP;
    world.plan_lane = async (input) => {
      if (world.served.length <= failures) throw ApplicationFailure.nonRetryable('the database is away');
      return answer(input);
    };
    let plans = 0;
    world.plan = () => {
      plans += 1;
      return [PLAN, KEY];
    };
    await run();
    expect(world.served.map(({ lane }) => lane.laneId)).toEqual(Array(failures + 1).fill('plan_lane'));
    // None of it counts against line or lane.
    expect(world.served.at(-1)?.lines.map(({ attempt, previous }) => [attempt, previous])).toEqual([
      [1, []],
      [1, []],
      [1, []],
    ]);
    expect(plans).toBe(failures + 1);
    expect(world.settled).toEqual([]);
  });

  it('are taken as lost by a lane when that never ends though planning is possible', async () => {
    world.plan_lane = async () => {
      throw ApplicationFailure.nonRetryable('this line breaks us');
    };
    await run();
    const lanes = world.served.map(({ lane }) => lane.laneId);
    expect(lanes).toEqual([...Array<string>(OWN_TROUBLES_BEFORE_GIVING_UP + 2).fill('plan_lane'), 'key_lane']);
  });

  it('have the longest wait for a slot and the longest attempt within the time of their group, however few its lane’s slots are', async () => {
    const limits: number[] = [];
    world.plan = () => [{ ...PLAN, concurrency: 1 }];
    world.lines = [1, 2];
    world.plan_lane = async (input) => {
      limits.push(Context.current().info.startToCloseTimeoutMs);
      if (world.served.length > 1) return answer(input);
      // No slot became free in time for one of them.
      return input.lines.map(({ line, attempt }) =>
        line === 1
          ? { line, record: record(input, attempt, 'answered') }
          : {
              line,
              record: record(input, attempt, 'lane_unavailable'),
              failure: plantFailure('lane_unavailable', { unavailableUntil: Date.now(), reachedUpstream: false }),
            },
      );
    };
    await run();
    expect(world.served.map(({ lines }) => lines)).toEqual([
      [1, 2].map((line) => ({ line, attempt: 1, previous: [] })),
      [{ line: 2, attempt: 1, previous: [] }],
    ]);
    expect(Math.min(...limits)).toBeGreaterThan(LINE_WAIT_IN_WORKER_MS + ATTEMPT_DEADLINE_MS);
  });

  it('look at their lanes while they wait for room on open ones', async () => {
    const count = GROUP_LINES.plan * GROUPS_IN_FLIGHT.plan + 1;
    world.lines = Array.from({ length: count }, (_, index) => index + 1);
    await run();
    const { events } = await temporal.environment.client.workflow.getHandle(`batch_${runs}/chunk-0`).fetchHistory();
    const timers = (events ?? []).flatMap(({ timerStartedEventAttributes }) => timerStartedEventAttributes ?? []);
    expect(timers.map(({ startToFireTimeout }) => Number(startToFireTimeout?.seconds))).toEqual([
      LOOK_WHILE_SERVING_MS / 1_000,
    ]);
  });
});
