import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ProviderBatchInput, ProviderBatchTry, SubmittedBatch } from '../../core/contracts/provider-batch.ts';
import { WORKFLOW_TASK_QUEUE } from '../../core/contracts/queues.ts';
import type { providerBatchWorkflow } from '../../workflows/provider-batch.ts';
import { plantLane } from '../support/planted.ts';
import { openTestTemporal, type TestTemporal } from '../support/temporal.ts';

interface World {
  submit: (run: ProviderBatchTry) => SubmittedBatch;
  status: (run: ProviderBatchTry) => string;
  events: string[];
}

let temporal: TestTemporal;
let world: World;
let runs = 0;

beforeAll(async () => {
  temporal = await openTestTemporal();
  await temporal.serveWorkflows({});
  await temporal.serveLane('lane_key', {
    submitProviderBatch: async (run) => {
      world.events.push(`submit ${run.attempt}`);
      return world.submit(run);
    },
    readProviderBatch: async (run) => world.status(run) as 'running',
    cancelProviderBatch: async () => void world.events.push('cancel'),
    mergeProviderBatch: async ({ attempt }) => void world.events.push(`merge ${attempt}`),
  });
});
afterAll(() => temporal.release());
beforeEach(() => {
  world = {
    submit: ({ attempt }) => ({ sent: true, providerBatchId: `batch_${attempt}` }),
    status: () => 'completed',
    events: [],
  };
});

async function start(given: Partial<ProviderBatchInput> = {}) {
  const { unavailableUntil: _, ...lane } = plantLane('lane_key', { kind: 'key' });
  const input = { batchId: 'b', keyId: 'k', lane, model: 'm', firstChunk: 1, endChunk: 3 };
  return temporal.environment.client.workflow.start<typeof providerBatchWorkflow>('providerBatchWorkflow', {
    workflowId: `provider-${++runs}`,
    taskQueue: WORKFLOW_TASK_QUEUE,
    args: [{ ...input, takenBackAt: Date.now() + 3_600_000, ...given }],
  });
}

describe('a run at the Batch API of a provider', () => {
  it('is sent, looked at until it is over, and taken in', async () => {
    await (await start()).result();
    expect(world.events).toEqual(['submit 1', 'merge 1']);
  });

  it('is sent once more when the provider fails it, and no more', async () => {
    world.status = () => 'failed';
    await (await start()).result();
    expect(world.events).toEqual(['submit 1', 'merge 1', 'submit 2', 'merge 2']);
  });

  it('is over when it can’t be sent', async () => {
    world.submit = () => ({ sent: false, why: 'no line is left' });
    await (await start()).result();
    expect(world.events).toEqual(['submit 1']);
  });

  it('is taken back when calls must begin, with what was done', async () => {
    world.status = () => (world.events.includes('cancel') ? 'cancelled' : 'running');
    await (await start({ takenBackAt: Date.now() + 2_000 })).result();
    expect(world.events).toEqual(['submit 1', 'cancel', 'merge 1']);
  });

  it('takes in what was done, too, when its batch is cancelled', async () => {
    world.status = () => (world.events.includes('cancel') ? 'cancelled' : 'running');
    const handle = await start();
    await expect.poll(() => world.events).toEqual(['submit 1']);
    await handle.cancel();
    await expect(handle.result()).rejects.toMatchObject({ name: 'WorkflowFailedError' });
    expect(world.events).toEqual(['submit 1', 'cancel', 'merge 1']);
  });
});
