import { Context } from '@temporalio/activity';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { GROUP_LINES } from '../../core/contracts/batch.ts';
import type {
  BatchInput,
  LineResult,
  ServeLinesInput,
  SettleLinesInput,
  ValidationOutcome,
} from '../../core/contracts/batch.ts';
import type { AttemptFailure, FailureClass } from '../../core/contracts/failure.ts';
import type { PlannedLane } from '../../core/contracts/lane.ts';
import { WORKFLOW_TASK_QUEUE } from '../../core/contracts/queues.ts';
import type { batchWorkflow } from '../../workflows/batch.ts';
import { plantFailure, plantLane } from '../support/planted.ts';
import { openTestTemporal, type TestTemporal } from '../support/temporal.ts';
import { PATIENT } from '../support/patience.ts';

/** A history of so many events asks for a new run here, so that a small chunk gets there. */
const NEW_RUN_AFTER_EVENTS = 100;

type Serve = (input: ServeLinesInput) => Promise<LineResult[]>;

interface World {
  validation: ValidationOutcome | 'never';
  chunks: number[][];
  plan: () => readonly PlannedLane[];
  plan_lane: Serve;
  key_lane: Serve;
  served: ServeLinesInput[];
  settled: SettleLinesInput[];
  plannedFor: string[];
  /** What happened, in order. */
  events: string[];
}

let temporal: TestTemporal;
let world: World;
let runs = 0;

const untilCancelled = async (): Promise<never> => {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), 50);
  try {
    return await context.cancelled;
  } finally {
    clearInterval(beat);
  }
};

beforeAll(async () => {
  temporal = await openTestTemporal([`limit.historyCount.suggestContinueAsNew=${NEW_RUN_AFTER_EVENTS}`]);
  await temporal.serveWorkflows({
    validateBatch: async () => {
      world.events.push('validate');
      return world.validation === 'never' ? untilCancelled() : world.validation;
    },
    loadChunk: async ({ chunkIndex }: { chunkIndex: number }) => ({
      models: [{ model: 'm', lines: world.chunks[chunkIndex] ?? [] }],
    }),
    planLanesFor: async ({ model }: { model: string }) => {
      world.plannedFor.push(model);
      return { model, lanes: world.plan() };
    },
    settleLines: async (input: SettleLinesInput) => {
      world.events.push('settle');
      world.settled.push(input);
    },
    sealChunk: async () => {},
    finalizeBatch: async ({ reason }: { reason: string }) => void world.events.push(`finalize ${reason}`),
    announceBatch: async () => null,
  });
  for (const laneId of ['plan_lane', 'key_lane'] as const) {
    await temporal.serveLane(laneId, {
      serveLines: (input) => (world.served.push(input), world[laneId](input)),
    });
  }
});
afterAll(() => temporal.release());

const PLAN = plantLane('plan_lane');
const KEY = plantLane('key_lane', { kind: 'key' });

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

beforeEach(() => {
  world = {
    validation: { valid: true, chunks: 1 },
    chunks: [[1, 2, 3]],
    plan: () => [PLAN, KEY],
    plan_lane: answer,
    key_lane: answer,
    served: [],
    settled: [],
    plannedFor: [],
    events: [],
  };
});

function start(given: Partial<BatchInput> = {}) {
  runs += 1;
  const batchId = `batch_${runs}`;
  return temporal.environment.client.workflow.start<typeof batchWorkflow>('batchWorkflow', {
    workflowId: batchId,
    taskQueue: WORKFLOW_TASK_QUEUE,
    args: [{ batchId, keyId: 'key_1', expiresAt: Date.now() + 60_000, ...given }],
  });
}
const run = async (given: Partial<BatchInput> = {}): Promise<void> => (await start(given)).result();
const numbers = (served: readonly ServeLinesInput[]): number[] =>
  served.flatMap(({ lines }) => lines.map(({ line }) => line)).toSorted((a, b) => a - b);

describe('a batch', () => {
  it('ends after its validation when the file is refused', async () => {
    world.validation = { valid: false };
    await run();
    expect(world.events).toEqual(['validate']);
  });

  it('ends at once, with nothing sent and no file written, when it was over before', async () => {
    world.validation = { valid: false, over: 'completed' };
    await run();
    expect(world.events).toEqual(['validate']);
    expect(world.served).toEqual([]);
  });

  it('serves each line of each chunk once, then writes the files', async () => {
    world.validation = { valid: true, chunks: 5 };
    world.chunks = [[1, 2], [3], [4, 5], [6], [7]];
    await run();
    expect(numbers(world.served)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(world.events).toEqual(['validate', 'finalize completed']);
    expect(world.settled).toEqual([]);
  });

  it('is over without a chunk when there is none', async () => {
    world.validation = { valid: true, chunks: 0 };
    await run();
    expect(world.events).toEqual(['validate', 'finalize completed']);
  });

  it('sends lines in small groups to a plan lane, and in large ones to a key lane', async () => {
    const count = GROUP_LINES.plan + 2;
    world.chunks = [Array.from({ length: count }, (_, index) => index + 1)];
    await run();
    // Both are on their way at once: either may be taken first.
    expect(world.served.map(({ lines }) => lines.length).toSorted((a, b) => a - b)).toEqual([2, GROUP_LINES.plan]);
    world.served = [];
    world.plan = () => [KEY];
    await run();
    expect(world.served.map(({ lines }) => lines.length)).toEqual([count]);
    expect(world.served[0]).toMatchObject({ lane: { laneId: 'key_lane' } });
    expect(world.served[0]?.lines[0]).toMatchObject({ attempt: 1, previous: [] });
  });

  it('is cancelled with what is under way ended first', async () => {
    world.plan_lane = async () => {
      try {
        return await untilCancelled();
      } finally {
        world.events.push('attempt ended');
      }
    };
    const handle = await start();
    await vi.waitFor(() => expect(world.served).toHaveLength(1), PATIENT);
    await handle.cancel();
    await handle.result();
    expect(world.events).toEqual(['validate', 'attempt ended', 'finalize cancelled']);
  });

  it('is cancelled while it is validated', async () => {
    world.validation = 'never';
    const handle = await start();
    await vi.waitFor(() => expect(world.events).toEqual(['validate']), PATIENT);
    await handle.cancel();
    await handle.result();
    expect(world.events).toEqual(['validate', 'finalize cancelled']);
    expect(world.served).toEqual([]);
  });

  it('expires at the end of its window', async () => {
    world.plan_lane = untilCancelled;
    world.plan = () => [PLAN];
    await run({ expiresAt: Date.now() + 1_500 });
    expect(world.events).toEqual(['validate', 'finalize expired']);
  });

  it('expires at once when its window is over before it starts', async () => {
    world.validation = 'never';
    await run({ expiresAt: Date.now() - 1 });
    expect(world.events.at(-1)).toBe('finalize expired');
  });
});

describe('a line of a batch', () => {
  it('goes to the next lane when the first is out, and the next lines do not ask that one', async () => {
    world.chunks = [[1]];
    world.plan_lane = fail('window_exhausted', () => ({ unavailableUntil: Date.now() + 3_600_000 }));
    await run();
    expect(world.served.map(({ lane }) => lane.laneId)).toEqual(['plan_lane', 'key_lane']);
    expect(world.served[1]?.lines).toMatchObject([{ attempt: 2, previous: [{ outcome: 'window_exhausted' }] }]);
  });

  it('waits on a timer while every lane is out, asks nobody meanwhile, and is planned anew', async () => {
    world.chunks = [[1]];
    world.plan = () => [PLAN];
    let outUntil = 0;
    world.plan_lane = async (input) => {
      if (outUntil > 0) return answer(input);
      outUntil = Date.now() + 1_000;
      return fail('window_exhausted', () => ({ unavailableUntil: outUntil }))(input);
    };
    await run();
    expect(world.served).toHaveLength(2);
    expect(world.plannedFor).toEqual(['m', 'm']);
    expect(world.events).toEqual(['validate', 'finalize completed']);
  });

  it('does not count a lane that took nothing as an attempt', async () => {
    world.chunks = [[1]];
    world.plan_lane = fail('lane_unavailable', () => ({ reachedUpstream: false }));
    await run();
    expect(world.served.map(({ lines }) => lines[0]?.attempt)).toEqual([1, 1]);
    expect(world.served[1]?.lines[0]?.previous).toEqual([]);
  });

  it('gets its outcome once when no lane is left', async () => {
    world.chunks = [[1, 2]];
    world.plan_lane = fail('model_unavailable');
    world.key_lane = fail('unsupported');
    await run();
    const settledLines = world.settled.flatMap(({ lines }) => lines.map(({ line }) => line));
    expect(settledLines.toSorted((a, b) => a - b)).toEqual([1, 2]);
    for (const { lines } of world.settled) {
      for (const { attempts } of lines) {
        expect(attempts.map(({ outcome }) => outcome)).toEqual(['model_unavailable', 'unsupported']);
      }
    }
    expect(world.events.at(-1)).toBe('finalize completed');
  });

  it('has its outcome from the lane’s activity when the caller is at fault', async () => {
    world.chunks = [[1]];
    world.plan_lane = fail('caller_fault');
    await run();
    expect(world.served).toHaveLength(1);
    expect(world.settled).toEqual([]);
  });

  it.each([
    { failureClass: 'cancelled', given: {} },
    { failureClass: 'broken', given: { answerStarted: true } },
  ] as const)(
    'gets its outcome when it ends without one in the lane: $failureClass',
    async ({ failureClass, given }) => {
      world.chunks = [[1]];
      world.plan_lane = fail(failureClass, () => given);
      await run();
      expect(world.served).toHaveLength(1);
      expect(world.settled).toMatchObject([{ lines: [{ line: 1, attempts: [{ outcome: failureClass }] }] }]);
    },
  );

  it('is carried over with its attempts when the chunk’s history gets long', async () => {
    const groups = 40;
    const count = groups * GROUP_LINES.plan;
    world.chunks = [Array.from({ length: count }, (_, index) => index + 1)];
    world.plan = () => [PLAN];
    world.plan_lane = (input) =>
      input.lines.every(({ attempt }) => attempt === 2) ? answer(input) : fail('process_lost')(input);
    const handle = await start();
    await handle.result();
    const answered = world.served.filter(({ lines }) => lines[0]?.attempt === 2);
    expect(numbers(answered)).toEqual(world.chunks[0]);
    expect(world.served).toHaveLength(2 * groups);
    const chunk = temporal.environment.client.workflow.getHandle(`batch_${runs}/chunk-0`);
    const { raw } = await chunk.describe();
    expect(Number(raw.workflowExecutionInfo?.historyLength)).toBeLessThan(2 * groups * 3);
    expect(raw.workflowExecutionInfo?.firstRunId).not.toBe(raw.workflowExecutionInfo?.execution?.runId);
  });
});
