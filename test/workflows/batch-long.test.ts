import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { CONTROL_CHANGED_SIGNAL } from '../../core/contracts/batch-control.ts';
import type { LineResult, ServeLinesInput } from '../../core/contracts/batch.ts';
import type { ProviderBatchInput } from '../../core/contracts/provider-batch.ts';
import { WORKFLOW_TASK_QUEUE } from '../../core/contracts/queues.ts';
import type { batchWorkflow } from '../../workflows/batch.ts';
import { plantLane } from '../support/planted.ts';
import { openTestTemporal, type TestTemporal } from '../support/temporal.ts';
import { PATIENT } from '../support/patience.ts';

/** A history of so many events asks for a new run here, so that a batch of a few chunks gets there. */
const NEW_RUN_AFTER_EVENTS = 100;

const PLAN = plantLane('plan_lane');
const { unavailableUntil: _, ...KEY } = plantLane('key_lane', { kind: 'key' });

let temporal: TestTemporal;
let runs = 0;
let world: {
  chunks: number;
  paused: boolean;
  planned: number;
  served: number[];
  events: string[];
  serve: (input: ServeLinesInput) => Promise<void>;
  provider: (endChunk: number) => Partial<ProviderBatchInput> | null;
  providerStatus: string;
};

beforeAll(async () => {
  temporal = await openTestTemporal([`limit.historyCount.suggestContinueAsNew=${NEW_RUN_AFTER_EVENTS}`]);
  await temporal.serveWorkflows({
    validateBatch: async () => ({ valid: true, chunks: world.chunks }),
    loadChunk: async ({ chunkIndex }: { chunkIndex: number }) => ({
      models: [{ model: 'm', lines: [chunkIndex + 1] }],
    }),
    planLanesFor: async ({ model }: { model: string }) => {
      world.planned += 1;
      return { model, lanes: [PLAN], control: { paused: world.paused, priority: 'normal' } };
    },
    planProviderBatch: async ({ endChunk, batchId }: { endChunk: number; batchId: string }) => {
      const wish = world.provider(endChunk);
      const shared = { batchId, keyId: 'key_1', lane: KEY, model: 'm', endChunk, takenBackAt: Date.now() + 600_000 };
      return wish === null ? null : { ...shared, firstChunk: endChunk - 1, ...wish };
    },
    settleLines: async () => {},
    sealChunk: async () => {},
    finalizeBatch: async ({ reason }: { reason: string }) => {
      world.events.push(`finalize ${reason}`);
      return reason;
    },
    announceBatch: async () => null,
  });
  await temporal.serveLane('plan_lane', {
    serveLines: async (input): Promise<LineResult[]> => {
      await world.serve(input);
      world.served.push(...input.lines.map(({ line }) => line));
      const record = { laneId: 'plan_lane', outcome: 'answered', reachedUpstream: true, startedAt: 1, durationMs: 1 };
      return input.lines.map(({ line, attempt }) => ({ line, record: { ...record, outcome: 'answered', attempt } }));
    },
  });
  await temporal.serveLane('key_lane', {
    submitProviderBatch: async () => {
      world.events.push('submit');
      return { sent: true, providerBatchId: 'b' };
    },
    readProviderBatch: async () => world.providerStatus as 'running',
    cancelProviderBatch: async () => void (world.providerStatus = 'cancelled'),
    mergeProviderBatch: async () => void world.events.push('merge'),
  });
});
afterAll(() => temporal.release());
beforeEach(() => {
  world = {
    chunks: 30,
    paused: false,
    planned: 0,
    served: [],
    events: [],
    serve: async () => {},
    provider: () => null,
    providerStatus: 'running',
  };
});

const start = (windowMs = 3_600_000) => {
  runs += 1;
  const batchId = `batch_${runs}`;
  return temporal.environment.client.workflow.start<typeof batchWorkflow>('batchWorkflow', {
    workflowId: batchId,
    taskQueue: WORKFLOW_TASK_QUEUE,
    args: [{ batchId, keyId: 'key_1', expiresAt: Date.now() + windowMs }],
  });
};
type Handle = Awaited<ReturnType<typeof start>>;
const firstRunOf = async (handle: Handle): Promise<string | null | undefined> =>
  (await handle.describe()).raw.workflowExecutionInfo?.firstRunId;
const runOf = async (handle: Handle): Promise<string> => (await handle.describe()).runId;
/** Wakes a batch's first chunk, which waits for its lanes, so often that it goes on in a new run for the length of its history. */
async function wakeIntoNewRun({ workflowId }: Handle): Promise<void> {
  const chunk = temporal.environment.client.workflow.getHandle(`${workflowId}/chunk-0`);
  // All at once: one after the other they take seconds, and the batch's window may be short.
  await Promise.all(Array.from({ length: NEW_RUN_AFTER_EVENTS }, () => chunk.signal(CONTROL_CHANGED_SIGNAL)));
  await vi.waitFor(async () => {
    const { raw, runId } = await chunk.describe();
    expect(runId).not.toBe(raw.workflowExecutionInfo?.firstRunId);
  }, PATIENT);
}
const all = (): number[] => Array.from({ length: world.chunks }, (_, index) => index + 1);
const sorted = (): number[] => world.served.toSorted((a, b) => a - b);

describe('a batch of many chunks', () => {
  it('goes on in a new run when its history gets long, and serves each line once', async () => {
    const handle = await start();
    await handle.result();
    expect(sorted()).toEqual(all());
    expect(world.events).toEqual(['finalize completed']);
    expect(await runOf(handle)).not.toBe(await firstRunOf(handle));
  }, 60_000);

  it('serves the chunks that are here while a provider has others, however long its history gets', async () => {
    let isAsked = false;
    world.provider = () => {
      if (isAsked) return null;
      isAsked = true;
      return {};
    };
    // No line is answered before the provider has its part.
    world.serve = () => vi.waitFor(() => expect(world.events).toContain('submit'), PATIENT);
    const handle = await start();
    await vi.waitFor(() => expect(sorted()).toEqual(all().slice(0, -1)), { timeout: 40_000 });
    world.providerStatus = 'completed';
    await handle.result();
    expect(sorted()).toEqual(all());
    expect(world.events).toEqual(['submit', 'merge', 'finalize completed']);
  }, 90_000);

  it('takes in what a provider has done before its files are written, when it is cancelled', async () => {
    world.chunks = 5;
    world.paused = true;
    world.provider = () => ({});
    const handle = await start();
    await vi.waitFor(() => expect(world.events).toEqual(['submit']), PATIENT);
    await handle.cancel();
    await handle.result();
    expect(world.events).toEqual(['submit', 'merge', 'finalize cancelled']);
    expect(world.providerStatus).toBe('cancelled');
    expect(world.served).toEqual([]);
  }, 60_000);

  it.each(['cancelled', 'expired'] as const)(
    'comes to its end as %s when one of its chunks went on in a new run before that',
    async (ending) => {
      world.chunks = 2;
      world.paused = true;
      const handle = await start(ending === 'expired' ? 20_000 : undefined);
      await vi.waitFor(() => expect(world.planned).toBeGreaterThan(1), PATIENT);
      await wakeIntoNewRun(handle);
      if (ending === 'cancelled') await handle.cancel();
      await handle.result();
      expect(world.events).toEqual([`finalize ${ending}`]);
      expect(world.served).toEqual([]);
    },
    60_000,
  );

  it('runs a chunk again that somebody has terminated', async () => {
    world.chunks = 2;
    let isFirst = true;
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    world.serve = async ({ chunkIndex }) => {
      if (chunkIndex !== 0 || !isFirst) return;
      isFirst = false;
      await temporal.environment.client.workflow.getHandle(`batch_${runs}/chunk-0`).terminate('by hand');
      await held;
    };
    const handle = await start();
    await vi.waitFor(() => expect(new Set(world.served)).toEqual(new Set([1, 2])), PATIENT);
    release();
    await handle.result();
    expect(world.events).toEqual(['finalize completed']);
  }, 60_000);

  it('stays small however often its control is changed', async () => {
    world.chunks = 3;
    world.paused = true;
    const handle = await start();
    await vi.waitFor(() => expect(world.planned).toBe(3), PATIENT);
    await Promise.all(Array.from({ length: 200 }, () => handle.signal(CONTROL_CHANGED_SIGNAL)));
    world.paused = false;
    await handle.signal(CONTROL_CHANGED_SIGNAL);
    await handle.result();
    expect(sorted()).toEqual(all());
    const events = (await handle.fetchHistory()).events ?? [];
    const told = events.filter((event) => event.signalExternalWorkflowExecutionInitiatedEventAttributes).length;
    // Without it each of three chunks would be told of each change.
    expect(told).toBeLessThan(300);
  }, 60_000);
});
