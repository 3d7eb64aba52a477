import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ProviderBatchInput, ProviderBatchTry, SubmittedBatch } from '../../core/contracts/provider-batch.ts';
import { WORKFLOW_TASK_QUEUE } from '../../core/contracts/queues.ts';
import type { providerBatchWorkflow } from '../../workflows/provider-batch.ts';
import { plantLane } from '../support/planted.ts';
import { openTestTemporal, type TestTemporal } from '../support/temporal.ts';
import { PATIENT } from '../support/patience.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** What one run meets; each has its own, by the id of its batch, so that all of them wait at the same time. */
class World {
  submit = (): SubmittedBatch => ({ sent: true, providerBatchId: 'b' });
  found: SubmittedBatch = { sent: true, providerBatchId: 'b' };
  status: () => string = () => (this.events.includes('cancel') ? 'cancelled' : 'running');
  merge: () => void = () => undefined;
  readonly events: string[] = [];
}

/** Fails an activity for good, as the end of its time would. */
const forGood = (): never => {
  throw ApplicationFailure.nonRetryable('planted');
};

let temporal: TestTemporal;
const worlds = new Map<string, World>();
const worldOf = ({ batchId }: Pick<ProviderBatchTry, 'batchId'>): World => {
  const world = worlds.get(batchId);
  if (world === undefined) throw new Error(`nobody began ${batchId}`);
  return world;
};

beforeAll(async () => {
  temporal = await openTestTemporal();
  await temporal.serveWorkflows({
    endProviderRun: async (run: ProviderBatchInput) => void worldOf(run).events.push(`end ${run.number}`),
  });
  await temporal.serveLane('lane_key', {
    submitProviderBatch: async (run) => {
      worldOf(run).events.push(`submit ${run.attempt}`);
      return worldOf(run).submit();
    },
    findProviderBatch: async (run) => {
      worldOf(run).events.push(`find ${run.attempt}`);
      return worldOf(run).found;
    },
    readProviderBatch: async (run) => worldOf(run).status() as 'running',
    cancelProviderBatch: async (run) => void worldOf(run).events.push('cancel'),
    mergeProviderBatch: async (run) => {
      worldOf(run).events.push(`merge ${run.attempt}`);
      worldOf(run).merge();
    },
  });
});
afterAll(() => temporal.release());

async function start(world: World, given: Partial<ProviderBatchInput> = {}) {
  const { unavailableUntil: _, ...lane } = plantLane('lane_key', { kind: 'key' });
  const batchId = `batch_${worlds.size}`;
  worlds.set(batchId, world);
  const input = { batchId, keyId: 'k', lane, model: 'm', firstChunk: 1, endChunk: 3, number: 1 };
  const times = { takenBackAt: Date.now() + 4 * HOUR_MS, expiresAt: Date.now() + 5 * HOUR_MS };
  return temporal.environment.client.workflow.start<typeof providerBatchWorkflow>('providerBatchWorkflow', {
    workflowId: `provider-${batchId}`,
    taskQueue: WORKFLOW_TASK_QUEUE,
    args: [{ ...input, ...times, ...given }],
  });
}

/** How long each activity may wait and take in all, by its name: that of its last call. Milliseconds. */
async function limitsOf(handle: Awaited<ReturnType<typeof start>>): Promise<Record<string, number>> {
  const limits: Record<string, number> = {};
  for (const { activityTaskScheduledEventAttributes: scheduled } of (await handle.fetchHistory()).events ?? []) {
    const name = scheduled?.activityType?.name;
    const { seconds, nanos } = scheduled?.scheduleToCloseTimeout ?? {};
    if (typeof name === 'string')
      limits[name.replace('ProviderBatch', '')] = Number(seconds) * 1_000 + (nanos ?? 0) / 1e6;
  }
  return limits;
}

describe.concurrent('a run of a provider whose lane may have no worker', () => {
  it('is looked at no longer than there is time, and taken in within ten minutes', async () => {
    const world = new World();
    world.status = () => 'completed';
    const handle = await start(world, { takenBackAt: Date.now() + 10 * MINUTE_MS });
    await handle.result();
    const { submit = 0, read = 0, merge } = await limitsOf(handle);
    for (const limit of [submit, read]) {
      expect(limit).toBeGreaterThan(9 * MINUTE_MS);
      expect(limit).toBeLessThanOrEqual(10 * MINUTE_MS);
    }
    expect(merge).toBe(10 * MINUTE_MS);
    expect(world.events).toEqual(['submit 1', 'merge 1', 'end 1']);
  });

  it('is given up after an hour, however much time there is', async () => {
    const world = new World();
    world.status = () => 'completed';
    const handle = await start(world);
    await handle.result();
    expect(await limitsOf(handle)).toMatchObject({ submit: HOUR_MS, read: HOUR_MS });
  });

  it('has eleven minutes to be taken back, and no more', async () => {
    const world = new World();
    const handle = await start(world);
    await vi.waitFor(() => expect(world.events).toEqual(['submit 1']), PATIENT);
    await handle.cancel();
    await handle.result().catch(() => undefined);
    const { cancel, read = 0, merge } = await limitsOf(handle);
    expect(cancel).toBe(11 * MINUTE_MS);
    expect(read).toBeLessThanOrEqual(11 * MINUTE_MS);
    expect(merge).toBe(10 * MINUTE_MS);
  });

  it('has a minute when its batch is over', async () => {
    const handle = await start(new World(), { takenBackAt: Date.now() - HOUR_MS, expiresAt: Date.now() - 1 });
    await handle.result();
    const { find, cancel, read = 0, merge } = await limitsOf(handle);
    expect([find, cancel, merge]).toEqual([MINUTE_MS, MINUTE_MS, 10 * MINUTE_MS]);
    expect(read).toBeLessThanOrEqual(MINUTE_MS);
  });
});

describe.concurrent('the end of a run at a provider', () => {
  it('is told to its batch when nothing was sent', async () => {
    const world = new World();
    world.submit = () => ({ sent: false, why: 'planted' });
    await (await start(world)).result();
    expect(world.events).toEqual(['submit 1', 'end 1']);
  });

  it('is told to its batch when it could neither be sent nor found', async () => {
    const world = new World();
    world.submit = forGood;
    world.found = { sent: false, why: 'planted' };
    await (await start(world)).result();
    expect(world.events).toEqual(['submit 1', 'find 1', 'end 1']);
  });

  it('is told to its batch when what it did can’t be taken in', async () => {
    const world = new World();
    world.merge = forGood;
    const handle = await start(world, { takenBackAt: Date.now() + 2_000 });
    await expect(handle.result()).rejects.toMatchObject({ name: 'WorkflowFailedError' });
    expect(world.events).toEqual(['submit 1', 'cancel', 'merge 1', 'end 1']);
  });

  it('comes later when it was made although sending it has failed: it is found, and goes on', async () => {
    const world = new World();
    world.submit = forGood;
    world.status = () => 'completed';
    await (await start(world)).result();
    expect(world.events).toEqual(['submit 1', 'find 1', 'merge 1', 'end 1']);
  });

  it('comes after taking in was tried again, while there is time', async () => {
    const world = new World();
    world.status = () => 'completed';
    world.merge = () => (world.events.filter((event) => event === 'merge 1').length < 3 ? forGood() : undefined);
    await (await start(world)).result();
    expect(world.events).toEqual(['submit 1', 'merge 1', 'merge 1', 'merge 1', 'end 1']);
  });

  it('is not told of a run of an earlier version', async () => {
    const world = new World();
    world.status = () => 'completed';
    // JSON, in which it travels, leaves out what is not there.
    await (await start(world, { number: undefined } as unknown as Partial<ProviderBatchInput>)).result();
    expect(world.events).toEqual(['submit 1', 'merge 1']);
  });
});

describe.concurrent('a run that is to be taken back', () => {
  it.each([{ isTakenBack: true }, { takenBackAt: Date.now() - 1 }])('is found and not sent: %o', async (given) => {
    const world = new World();
    await (await start(world, given)).result();
    expect(world.events).toEqual(['find 1', 'cancel', 'merge 1', 'end 1']);
  });

  it('is over when nothing was made', async () => {
    const world = new World();
    world.found = { sent: false, why: 'planted' };
    await (await start(world, { isTakenBack: true })).result();
    expect(world.events).toEqual(['find 1', 'end 1']);
  });

  it('has both of its tries taken back', async () => {
    const world = new World();
    world.status = () => (world.events.includes('merge 1') ? 'completed' : 'failed');
    await (await start(world, { isTakenBack: true })).result();
    expect(world.events).toEqual(['find 1', 'cancel', 'merge 1', 'find 2', 'cancel', 'merge 2', 'end 1']);
  });

  it('is not sent a second time when it fails while it is taken back', async () => {
    const world = new World();
    world.found = { sent: false, why: 'nothing was made' };
    world.status = () => (world.events.includes('cancel') ? 'failed' : 'running');
    await (await start(world, { takenBackAt: Date.now() + 2_000 })).result();
    expect(world.events).toEqual(['submit 1', 'cancel', 'merge 1', 'find 2', 'end 1']);
  });
});
