import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { WORKFLOW_TASK_QUEUE } from '../../core/contracts/queues.ts';
import { plantLane } from '../support/planted.ts';
import { openTestTemporal, type TestTemporal } from '../support/temporal.ts';
import { PATIENT } from '../support/patience.ts';

/** Few enough that the first activities of a workflow make its history so long that it asks for a new run. */
const NEW_RUN_AFTER_EVENTS = 10;

let temporal: TestTemporal;
let runs = 0;
let stop: () => Promise<void> = async () => {};
/** What an activity that is held waits for, whether one is held, and how batches ended. */
let world: { held: Promise<void>; isHeld: boolean; ended: string[] };

beforeAll(async () => {
  temporal = await openTestTemporal([`limit.historyCount.suggestContinueAsNew=${NEW_RUN_AFTER_EVENTS}`]);
  const hold = async <T>(value: T): Promise<T> => {
    world.isHeld = true;
    await world.held;
    return value;
  };
  await temporal.serveActivities({
    validateBatch: () => hold({ valid: true, chunks: 1 }),
    loadChunk: async () => ({ models: [{ model: 'm', lines: [1] }] }),
    planLanesFor: ({ model }: { model: string }) =>
      hold({ model, lanes: [plantLane('plan_lane')], control: { paused: true, priority: 'normal' } }),
    sealChunk: async () => {},
    finalizeBatch: async ({ reason }: { reason: string }) => {
      world.ended.push(reason);
      return reason;
    },
    announceBatch: async () => null,
  });
});
afterAll(() => temporal.release());
beforeEach(() => {
  world = { held: Promise.resolve(), isHeld: false, ended: [] };
});
afterEach(async () => {
  await stop();
});

/**
 * Starts a workflow and cancels it so that it hears of that together with the end of its last activity before a new run.
 */
async function startAndCancelLate(workflowType: 'batchWorkflow' | 'batchChunkWorkflow') {
  let release: () => void = () => undefined;
  world.held = new Promise((resolve) => (release = resolve));
  runs += 1;
  const batchId = `batch_${runs}`;
  stop = await temporal.runWorkflows();
  const handle = await temporal.environment.client.workflow.start(workflowType, {
    workflowId: batchId,
    taskQueue: WORKFLOW_TASK_QUEUE,
    args: [{ batchId, keyId: 'key_1', chunkIndex: 0, expiresAt: Date.now() + 3_600_000 }],
  });
  await vi.waitFor(() => expect(world.isHeld).toBe(true), PATIENT);
  await stop();
  stop = async () => {};
  await handle.cancel();
  release();
  await vi.waitFor(async () => expect((await handle.describe()).raw.pendingActivities).toEqual([]), PATIENT);
  stop = await temporal.runWorkflows();
  return handle;
}
type Handle = Awaited<ReturnType<typeof startAndCancelLate>>;
const statusOf = async (handle: Handle): Promise<string> => (await handle.describe()).status.name;

describe('a cancellation that comes when a new run would begin', () => {
  it('ends a chunk', async () => {
    const handle = await startAndCancelLate('batchChunkWorkflow');
    await vi.waitFor(async () => expect(await statusOf(handle)).toBe('CANCELLED'), PATIENT);
  });

  it('ends a batch', async () => {
    const handle = await startAndCancelLate('batchWorkflow');
    await vi.waitFor(async () => expect(await statusOf(handle)).toBe('COMPLETED'), PATIENT);
    expect(world.ended).toEqual(['cancelled']);
  });
});
