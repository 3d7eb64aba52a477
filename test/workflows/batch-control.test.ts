import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { CONTROL_CHANGED_SIGNAL } from '../../core/contracts/batch-control.ts';
import { GROUP_LINES, type LanePlan, type LineResult, type ServeLinesInput } from '../../core/contracts/batch.ts';
import type { FailureClass } from '../../core/contracts/failure.ts';
import type { PlannedLane } from '../../core/contracts/lane.ts';
import { LINE_TASK_PRIORITY, WORKFLOW_TASK_QUEUE } from '../../core/contracts/queues.ts';
import type { batchWorkflow } from '../../workflows/batch.ts';
import { plantFailure, plantLane } from '../support/planted.ts';
import { openTestTemporal, type TestTemporal } from '../support/temporal.ts';
import { PATIENT } from '../support/patience.ts';

type Control = NonNullable<LanePlan['control']>;

const PLAN = plantLane('plan_lane');
const KEY = plantLane('key_lane', { kind: 'key' });
const AN_HOUR_MS = 3_600_000;

let temporal: TestTemporal;
let runs = 0;
let world: {
  chunks: number[][];
  lanes: () => readonly PlannedLane[];
  control: Control;
  serve: (input: ServeLinesInput) => Promise<LineResult[]>;
  served: ServeLinesInput[];
  planned: number;
  settled: number;
};

const record = (input: ServeLinesInput, attempt: number, outcome: 'answered' | FailureClass) => ({
  laneId: input.lane.laneId,
  attempt,
  outcome,
  reachedUpstream: outcome === 'answered',
  startedAt: 1,
  durationMs: 1,
});
const answer = async (input: ServeLinesInput): Promise<LineResult[]> =>
  input.lines.map(({ line, attempt }) => ({ line, record: record(input, attempt, 'answered') }));
const fail = async (input: ServeLinesInput, failureClass: FailureClass): Promise<LineResult[]> =>
  input.lines.map(({ line, attempt }) => ({
    line,
    record: record(input, attempt, failureClass),
    failure: plantFailure(failureClass),
  }));

beforeAll(async () => {
  temporal = await openTestTemporal();
  await temporal.serveWorkflows({
    validateBatch: async () => ({ valid: true, chunks: world.chunks.length }),
    loadChunk: async ({ chunkIndex }: { chunkIndex: number }) => ({
      models: [{ model: 'm', lines: world.chunks[chunkIndex] ?? [] }],
    }),
    planLanesFor: async ({ model }: { model: string }) => {
      world.planned += 1;
      return { model, lanes: world.lanes(), control: world.control };
    },
    settleLines: async () => void (world.settled += 1),
    sealChunk: async () => {},
    finalizeBatch: async ({ reason }: { reason: string }) => reason,
    announceBatch: async () => null,
  });
  for (const laneId of ['plan_lane', 'key_lane']) {
    await temporal.serveLane(laneId, {
      serveLines: (input) => {
        world.served.push(input);
        return world.serve(input);
      },
    });
  }
});
afterAll(() => temporal.release());
beforeEach(() => {
  world = {
    chunks: [[1]],
    lanes: () => [PLAN],
    control: { paused: false, priority: 'normal' },
    serve: answer,
    served: [],
    planned: 0,
    settled: 0,
  };
});

const start = () => {
  runs += 1;
  const batchId = `batch_${runs}`;
  return temporal.environment.client.workflow.start<typeof batchWorkflow>('batchWorkflow', {
    workflowId: batchId,
    taskQueue: WORKFLOW_TASK_QUEUE,
    args: [{ batchId, keyId: 'key_1', expiresAt: Date.now() + AN_HOUR_MS }],
  });
};
type Handle = Awaited<ReturnType<typeof start>>;
/** What the api does when the owner changes something: it stores it, and wakes the batch. */
const change = async (handle: Handle, control: Partial<Control> = {}): Promise<void> => {
  world.control = { ...world.control, ...control };
  await handle.signal(CONTROL_CHANGED_SIGNAL);
};
const numbers = (): number[] =>
  world.served.flatMap(({ lines }) => lines.map(({ line }) => line)).toSorted((a, b) => a - b);

describe('a running batch that is told something', () => {
  it('sends nothing out while it is paused, in any of its chunks, and everything when it is resumed', async () => {
    world.chunks = [[1], [2], [3], [4]];
    world.control = { paused: true, priority: 'normal' };
    const handle = await start();
    await vi.waitFor(() => expect(world.planned).toBe(3), PATIENT);
    expect(world.served).toEqual([]);
    await change(handle, { paused: false });
    await handle.result();
    expect(numbers()).toEqual([1, 2, 3, 4]);
  });

  it('lets what is out finish when it is paused, and keeps what comes back', async () => {
    world.chunks = [[1]];
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    world.serve = async (input) => {
      if (world.served.length > 1) return answer(input);
      await held;
      return fail(input, 'broken');
    };
    const handle = await start();
    await vi.waitFor(() => expect(world.served).toHaveLength(1), PATIENT);
    await change(handle, { paused: true });
    // The chunk has read that it is paused while its only line was out.
    await vi.waitFor(() => expect(world.planned).toBe(2), PATIENT);
    release();
    const chunk = temporal.environment.client.workflow.getHandle(`batch_${runs}/chunk-0`);
    const timers = async (): Promise<number> =>
      ((await chunk.fetchHistory()).events ?? []).filter((event) => event.timerStartedEventAttributes).length;
    // One before the line is tried again, and one of the chunk that waits until it is told something.
    await vi.waitFor(async () => expect(await timers()).toBe(2), PATIENT);
    expect(world.served).toHaveLength(1);
    await change(handle, { paused: false });
    await handle.result();
    expect(world.served).toHaveLength(2);
  });

  it('sends lines out by its priority, and by another one when that changes', async () => {
    const count = GROUP_LINES.plan * 3;
    world.chunks = [Array.from({ length: count }, (_, index) => index + 1)];
    world.control = { paused: true, priority: 'low' };
    const handle = await start();
    await vi.waitFor(() => expect(world.planned).toBe(1), PATIENT);
    await change(handle, { paused: false, priority: 'high' });
    await handle.result();
    expect(world.served.map(({ priority }) => priority)).toEqual(['high', 'high', 'high']);
    const chunk = temporal.environment.client.workflow.getHandle(`batch_${runs}/chunk-0`);
    const keys = ((await chunk.fetchHistory()).events ?? []).flatMap(
      ({ activityTaskScheduledEventAttributes: scheduled }) =>
        scheduled?.activityType?.name === 'serveLines' ? [scheduled.priority?.priorityKey] : [],
    );
    expect(keys).toEqual([LINE_TASK_PRIORITY.high, LINE_TASK_PRIORITY.high, LINE_TASK_PRIORITY.high]);
  });

  it('tries lines again for which there was no money', async () => {
    world.lanes = () => [{ ...PLAN, unavailableUntil: Date.now() + AN_HOUR_MS }, KEY];
    let hasMoney = false;
    world.serve = (input) => (hasMoney ? answer(input) : fail(input, 'consent_spent'));
    const handle = await start();
    await vi.waitFor(() => expect(world.served).toHaveLength(1), PATIENT);
    hasMoney = true;
    await change(handle);
    await handle.result();
    expect(world.served.map(({ lane }) => lane.laneId)).toEqual(['key_lane', 'key_lane']);
    expect(world.settled).toBe(0);
  });
});

describe('a metered lane that is held back for the plan', () => {
  it('gets no line while the plan is out, and all of them when it is released', async () => {
    const out = { ...PLAN, unavailableUntil: Date.now() + AN_HOUR_MS };
    world.lanes = () => [out, { ...KEY, heldUntil: Date.now() + AN_HOUR_MS }];
    const handle = await start();
    await vi.waitFor(() => expect(world.planned).toBe(1), PATIENT);
    expect(world.served).toEqual([]);
    world.lanes = () => [out, KEY];
    await change(handle);
    await handle.result();
    expect(world.served.map(({ lane }) => lane.laneId)).toEqual(['key_lane']);
  });

  it('serves at once what the plan can’t do', async () => {
    world.lanes = () => [PLAN, { ...KEY, heldUntil: Date.now() + AN_HOUR_MS }];
    world.serve = (input) => (input.lane.kind === 'plan' ? fail(input, 'unsupported') : answer(input));
    await (await start()).result();
    expect(world.served.map(({ lane }) => lane.laneId)).toEqual(['plan_lane', 'key_lane']);
  });

  it('takes what the plan has no room for once it is late', async () => {
    const count = GROUP_LINES.plan * 2 + 5;
    world.chunks = [Array.from({ length: count }, (_, index) => index + 1)];
    world.lanes = () => [PLAN, { ...KEY, heldUntil: Date.now() - 1 }];
    await (await start()).result();
    expect(world.served.map(({ lane }) => lane.laneId).toSorted()).toEqual(['key_lane', 'plan_lane', 'plan_lane']);
    expect(numbers()).toEqual(world.chunks[0]);
  });
});
