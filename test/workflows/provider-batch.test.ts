import { Context } from '@temporalio/activity';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ProviderBatchInput, ProviderBatchTry, SubmittedBatch } from '../../core/contracts/provider-batch.ts';
import { WORKFLOW_TASK_QUEUE } from '../../core/contracts/queues.ts';
import type { providerBatchWorkflow } from '../../workflows/provider-batch.ts';
import { plantLane } from '../support/planted.ts';
import { openTestTemporal, type TestTemporal } from '../support/temporal.ts';
import { PATIENT } from '../support/patience.ts';

/** What one run meets; each has its own, by the id of its batch, so that all of them wait at the same time. */
class World {
  submit = ({ attempt }: ProviderBatchTry): SubmittedBatch => ({ sent: true, providerBatchId: `batch_${attempt}` });
  status: () => string = () => 'completed';
  found: SubmittedBatch = { sent: false, why: 'nothing was made' };
  wait: (what: 'submit' | 'merge') => Promise<void> = async () => undefined;
  readonly events: string[] = [];
}

let temporal: TestTemporal;
const worlds = new Map<string, World>();
const worldOf = ({ batchId }: ProviderBatchTry): World => {
  const world = worlds.get(batchId);
  if (world === undefined) throw new Error(`nobody began ${batchId}`);
  return world;
};

beforeAll(async () => {
  temporal = await openTestTemporal();
  await temporal.serveWorkflows({});
  await temporal.serveLane('lane_key', {
    submitProviderBatch: async (run) => {
      worldOf(run).events.push(`submit ${run.attempt}`);
      await worldOf(run).wait('submit');
      return worldOf(run).submit(run);
    },
    findProviderBatch: async (run) => {
      worldOf(run).events.push('find');
      return worldOf(run).found;
    },
    readProviderBatch: async (run) => worldOf(run).status() as 'running',
    cancelProviderBatch: async (run) => void worldOf(run).events.push('cancel'),
    mergeProviderBatch: async (run) => {
      await worldOf(run).wait('merge');
      worldOf(run).events.push(`merge ${run.attempt}`);
    },
  });
});
afterAll(() => temporal.release());

async function start(world: World, given: Partial<ProviderBatchInput> = {}) {
  const { unavailableUntil: _, ...lane } = plantLane('lane_key', { kind: 'key' });
  const batchId = `batch_${worlds.size}`;
  worlds.set(batchId, world);
  const input = { batchId, keyId: 'k', lane, model: 'm', firstChunk: 1, endChunk: 3 };
  return temporal.environment.client.workflow.start<typeof providerBatchWorkflow>('providerBatchWorkflow', {
    workflowId: `provider-${batchId}`,
    taskQueue: WORKFLOW_TASK_QUEUE,
    args: [{ ...input, takenBackAt: Date.now() + 3_600_000, ...given }],
  });
}

describe.concurrent('a run at the Batch API of a provider', () => {
  it('is sent, looked at until it is over, and taken in', async () => {
    const world = new World();
    await (await start(world)).result();
    expect(world.events).toEqual(['submit 1', 'merge 1']);
  });

  it('is sent once more when the provider fails it, and no more', async () => {
    const world = new World();
    world.status = () => 'failed';
    await (await start(world)).result();
    expect(world.events).toEqual(['submit 1', 'merge 1', 'submit 2', 'merge 2']);
  });

  it('is over when it can’t be sent', async () => {
    const world = new World();
    world.submit = () => ({ sent: false, why: 'no line is left' });
    await (await start(world)).result();
    expect(world.events).toEqual(['submit 1']);
  });

  it('is taken back when calls must begin, with what was done', async () => {
    const world = new World();
    world.status = () => (world.events.includes('cancel') ? 'cancelled' : 'running');
    await (await start(world, { takenBackAt: Date.now() + 2_000 })).result();
    expect(world.events).toEqual(['submit 1', 'cancel', 'merge 1']);
  });

  it('takes in what was done, too, when its batch is cancelled', async () => {
    const world = new World();
    world.status = () => (world.events.includes('cancel') ? 'cancelled' : 'running');
    const handle = await start(world);
    await vi.waitFor(() => expect(world.events).toEqual(['submit 1']), PATIENT);
    await handle.cancel();
    await expect(handle.result()).rejects.toMatchObject({ name: 'WorkflowFailedError' });
    expect(world.events).toEqual(['submit 1', 'cancel', 'merge 1']);
  });

  it.each([
    { found: { sent: true, providerBatchId: 'b' }, after: ['cancel', 'merge 1'] },
    { found: { sent: false, why: 'nothing was made' }, after: [] },
  ] as const)('takes back what was made in the moment of the cancellation: $found.sent', async ({ found, after }) => {
    const world = new World();
    world.found = found;
    world.status = () => (world.events.includes('cancel') ? 'cancelled' : 'running');
    world.wait = async () => {
      const context = Context.current();
      const beat = setInterval(() => context.heartbeat(), 50);
      await context.cancelled.finally(() => clearInterval(beat));
    };
    const handle = await start(world);
    await vi.waitFor(() => expect(world.events).toEqual(['submit 1']), PATIENT);
    await handle.cancel();
    world.wait = async () => undefined;
    await handle.result().catch(() => undefined);
    expect(world.events).toEqual(['submit 1', 'find', ...after]);
  });

  it('is taken in to the end when it is cancelled meanwhile', async () => {
    const world = new World();
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let isMerging = false;
    world.wait = async (what) => {
      if (what !== 'merge') return;
      isMerging = true;
      await held;
    };
    const handle = await start(world);
    await vi.waitFor(() => expect(isMerging).toBe(true), PATIENT);
    await handle.cancel();
    // The cancellation is in the history before the answer is.
    const isCancelled = async (): Promise<boolean | undefined> =>
      (await handle.fetchHistory()).events?.some((event) => event.workflowExecutionCancelRequestedEventAttributes);
    await vi.waitFor(async () => expect(await isCancelled()).toBe(true), PATIENT);
    release();
    await handle.result();
    expect(world.events).toEqual(['submit 1', 'merge 1']);
  });
});
