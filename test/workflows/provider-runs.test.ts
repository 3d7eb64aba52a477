import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LineResult } from '../../core/contracts/batch.ts';
import type { ProviderBatchInput } from '../../core/contracts/provider-batch.ts';
import { providerBatchWorkflowId } from '../../core/contracts/provider-run.ts';
import { WORKFLOW_TASK_QUEUE } from '../../core/contracts/queues.ts';
import type { batchWorkflow } from '../../workflows/batch.ts';
import { plantLane } from '../support/planted.ts';
import { openTestTemporal, type TestTemporal } from '../support/temporal.ts';

const PLAN = plantLane('plan_lane');
const { unavailableUntil: _, ...KEY } = plantLane('key_lane', { kind: 'key' });
const CHUNKS = 5;

let temporal: TestTemporal;
let runs = 0;
let world: {
  paused: boolean;
  served: number[];
  events: string[];
  provider: (asked: { nextChunk: number; endChunk: number }) => Partial<ProviderBatchInput> | null;
  providerStatus: string;
  found: boolean;
  serve: (line: number) => Promise<void>;
};

beforeAll(async () => {
  temporal = await openTestTemporal();
  await temporal.serveWorkflows({
    validateBatch: async () => ({ valid: true, chunks: CHUNKS }),
    loadChunk: async ({ chunkIndex }: { chunkIndex: number }) => ({
      models: [{ model: 'm', lines: [chunkIndex + 1] }],
    }),
    planLanesFor: async ({ model }: { model: string }) => {
      return { model, lanes: [PLAN], control: { paused: world.paused, priority: 'normal' } };
    },
    planProviderBatch: async (asked: { nextChunk: number; endChunk: number; batchId: string }) => {
      const wish = world.provider(asked);
      world.events.push(wish === null ? 'plan nothing' : 'plan');
      const { batchId, endChunk } = asked;
      const shared = { batchId, keyId: 'key_1', lane: KEY, model: 'm', number: 1, endChunk, firstChunk: endChunk - 1 };
      return wish === null ? null : { ...shared, takenBackAt: Date.now() + 600_000, ...wish };
    },
    endProviderRun: async ({ number }: ProviderBatchInput) => void world.events.push(`end ${number}`),
    sealChunk: async () => {},
    finalizeBatch: async ({ reason }: { reason: string }) => {
      world.events.push(`finalize ${reason}`);
      return reason;
    },
    announceBatch: async () => null,
  });
  await temporal.serveLane('plan_lane', {
    serveLines: async (input): Promise<LineResult[]> => {
      for (const { line } of input.lines) await world.serve(line);
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
    findProviderBatch: async () => {
      world.events.push('find');
      return world.found ? { sent: true, providerBatchId: 'b' } : { sent: false, why: 'nothing was made' };
    },
    readProviderBatch: async () => world.providerStatus as 'running',
    cancelProviderBatch: async () => {
      world.events.push('cancel');
      world.providerStatus = 'cancelled';
    },
    mergeProviderBatch: async () => void world.events.push('merge'),
  });
});
afterAll(() => temporal.release());
beforeEach(() => {
  world = {
    paused: true,
    served: [],
    events: [],
    provider: () => null,
    providerStatus: 'running',
    found: true,
    serve: async () => {},
  };
});

const start = async () => {
  runs += 1;
  const batchId = `batch_${runs}`;
  const handle = await temporal.environment.client.workflow.start<typeof batchWorkflow>('batchWorkflow', {
    workflowId: batchId,
    taskQueue: WORKFLOW_TASK_QUEUE,
    args: [{ batchId, keyId: 'key_1', expiresAt: Date.now() + 3_600_000 }],
  });
  const child = providerBatchWorkflowId({ batchId, number: 1, firstChunk: CHUNKS - 1 });
  return { handle, child: temporal.environment.client.workflow.getHandle(child) };
};
const came = (event: string) =>
  vi.waitFor(() => expect(world.events).toContain(event), { timeout: 40_000, interval: 50 });
const sorted = (): number[] => world.served.toSorted((a, b) => a - b);
const ALL = Array.from({ length: CHUNKS }, (__, index) => index + 1);

/** Lets the chunks go on, each of which looks at its control when it is told that it has changed. */
async function goOn({ handle }: Awaited<ReturnType<typeof start>>): Promise<void> {
  world.paused = false;
  await handle.signal('controlChanged');
}

describe('a batch with a part at a provider', () => {
  it('goes on with calls when somebody cancels the run by hand', { timeout: 90_000 }, async () => {
    world.provider = () => ({});
    const batch = await start();
    await came('submit');
    await batch.child.cancel();
    await came('end 1');
    await goOn(batch);
    await batch.handle.result();
    expect(world.events).toEqual(['plan', 'submit', 'cancel', 'merge', 'end 1', 'finalize completed']);
    expect(sorted()).toEqual(ALL);
  });

  it(
    'takes back what a run has made that somebody terminates, and goes on with calls',
    { timeout: 90_000 },
    async () => {
      world.provider = () => ({});
      const batch = await start();
      await came('submit');
      await batch.child.terminate('by hand');
      await came('end 1');
      await goOn(batch);
      await batch.handle.result();
      expect(world.events).toEqual(['plan', 'submit', 'find', 'cancel', 'merge', 'end 1', 'finalize completed']);
      expect(sorted()).toEqual(ALL);
    },
  );

  it('is cancelled with its run, whose part is taken in and is over before its files are written', async () => {
    world.provider = () => ({});
    const { handle } = await start();
    await came('submit');
    await handle.cancel();
    await handle.result();
    expect(world.events).toEqual(['plan', 'submit', 'cancel', 'merge', 'end 1', 'finalize cancelled']);
  }, 60_000);
});

describe('a batch that was begun anew while a provider has a part of it', () => {
  it('takes that back and in while its chunks go on', { timeout: 90_000 }, async () => {
    // Two chunks of the three that begin at once.
    world.provider = ({ endChunk }) => (world.events.includes('end 1') ? null : { firstChunk: 1, endChunk });
    const batch = await start();
    await came('end 1');
    expect(world.events).toEqual(['plan', 'find', 'cancel', 'merge', 'end 1']);
    await goOn(batch);
    await batch.handle.result();
    expect(sorted()).toEqual(ALL);
  });

  it('finds it although all of its chunks are under way, and ends after it', { timeout: 90_000 }, async () => {
    world.provider = () => ({ firstChunk: 3, endChunk: CHUNKS });
    world.paused = false;
    // The last chunks are on their lane when it is looked for, and all others are done.
    world.serve = async (line) => (line > 3 ? came('find') : undefined);
    const { handle } = await start();
    await handle.result();
    expect(world.events).toEqual(['plan', 'find', 'cancel', 'merge', 'end 1', 'finalize completed']);
    expect(sorted()).toEqual(ALL);
  });
});
