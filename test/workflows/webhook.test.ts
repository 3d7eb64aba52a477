import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createBatchStarter } from '../../api/batches/batch-starter.ts';
import { announceWorkflowId } from '../../core/contracts/ids.ts';
import { WEBHOOK_TASK_QUEUE, WORKFLOW_TASK_QUEUE } from '../../core/contracts/queues.ts';
import {
  webhookWorkflowId,
  type BatchAnnouncement,
  type DeliverWebhookInput,
  type WebhookEvent,
  type WebhookOutcome,
} from '../../core/contracts/webhook.ts';
import type { batchWorkflow } from '../../workflows/batch.ts';
import type { webhookWorkflow } from '../../workflows/webhook.ts';
import { openTestTemporal, type TestTemporal } from '../support/temporal.ts';

let temporal: TestTemporal;
let sender: { worker: Worker; ended: Promise<void> };
let outcomes: WebhookOutcome[] = [];
let delivered: DeliverWebhookInput[] = [];
let announcement: BatchAnnouncement | null = null;
let valid = true;
let announcesInVain = 0;
/** Batches whose end is noted as announced, with how many deliveries had been started by then. */
let marked: [string, number][] = [];
let runs = 0;

beforeAll(async () => {
  temporal = await openTestTemporal();
  await temporal.serveWorkflows({
    validateBatch: async () => (valid ? { valid: true, chunks: 0 } : { valid: false }),
    finalizeBatch: async () => undefined,
    announceBatch: async () => {
      if (announcesInVain-- > 0) throw new Error('the worker is gone');
      return announcement;
    },
    markAnnounced: async ({ batchId }: { batchId: string }) => {
      const { endpointIds = [] } = announcement ?? {};
      const there = await Promise.allSettled(endpointIds.map((endpointId) => handleOf(endpointId).describe()));
      marked.push([batchId, there.filter(({ status }) => status === 'fulfilled').length]);
    },
  });
  const worker = await Worker.create({
    connection: temporal.environment.nativeConnection,
    taskQueue: WEBHOOK_TASK_QUEUE,
    activities: {
      deliverWebhook: async (input: DeliverWebhookInput) => {
        delivered.push(input);
        const outcome = outcomes.length > 1 ? outcomes.shift() : outcomes[0];
        return { outcome, status: null, durationMs: 1, why: null };
      },
    },
  });
  sender = { worker, ended: worker.run() };
});
afterAll(async () => {
  sender.worker.shutdown();
  await sender.ended;
  await temporal.release();
});
beforeEach(() => {
  runs += 1;
  outcomes = ['delivered'];
  delivered = [];
  valid = true;
  announcesInVain = 0;
  announcement = null;
  marked = [];
});

const newEvent = (): WebhookEvent => ({
  id: `evt_${runs}`,
  type: 'batch.completed',
  createdAt: 1,
  dataId: `batch_${runs}`,
});
const handleOf = (endpointId: string) =>
  temporal.environment.client.workflow.getHandle<typeof webhookWorkflow>(webhookWorkflowId(`evt_${runs}`, endpointId));
const deliver = (once = false) =>
  temporal.environment.client.workflow.execute<typeof webhookWorkflow>('webhookWorkflow', {
    workflowId: webhookWorkflowId(`evt_${runs}`, 'wh_1'),
    taskQueue: WORKFLOW_TASK_QUEUE,
    args: [{ event: newEvent(), endpointId: 'wh_1', once }],
  });
const runBatch = () =>
  temporal.environment.client.workflow.execute<typeof batchWorkflow>('batchWorkflow', {
    workflowId: `batch_${runs}`,
    taskQueue: WORKFLOW_TASK_QUEUE,
    args: [{ batchId: `batch_${runs}`, keyId: 'key_1', expiresAt: Date.now() + 60_000 }],
  });

describe('a webhook', () => {
  it.each(['delivered', 'gone', 'stopped'] as const)('is over when it is %s', async (outcome) => {
    outcomes = [outcome];
    expect(await deliver()).toMatchObject({ outcome });
    expect(delivered).toEqual([{ event: newEvent(), endpointId: 'wh_1', attempt: 1 }]);
  });

  it('is tried again after a pause, with the same event', async () => {
    outcomes = ['failed', 'delivered'];
    expect(await deliver()).toMatchObject({ outcome: 'delivered' });
    expect(delivered.map(({ event, attempt }) => [event.id, attempt])).toEqual([
      [`evt_${runs}`, 1],
      [`evt_${runs}`, 2],
    ]);
  });

  it('is tried once when it is a test', async () => {
    outcomes = ['failed'];
    expect(await deliver(true)).toMatchObject({ outcome: 'failed' });
    expect(delivered).toHaveLength(1);
  });
});

describe('the end of a batch', () => {
  it.each([true, false])('is told to each endpoint, with a file that is valid: %s', async (isValid) => {
    valid = isValid;
    announcement = { event: newEvent(), endpointIds: ['wh_1', 'wh_2'] };
    await runBatch();
    for (const id of ['wh_1', 'wh_2']) expect(await handleOf(id).result()).toMatchObject({ outcome: 'delivered' });
    expect(delivered.map(({ endpointId }) => endpointId).toSorted()).toEqual(['wh_1', 'wh_2']);
  });

  it('is told when those who were to announce it are gone, one after the other', async () => {
    announcement = { event: newEvent(), endpointIds: ['wh_1'] };
    announcesInVain = 3;
    await runBatch();
    expect(await handleOf('wh_1').result()).toMatchObject({ outcome: 'delivered' });
    expect(delivered).toHaveLength(1);
  });

  it('is noted as announced when the deliveries are there, and not before', async () => {
    announcement = { event: newEvent(), endpointIds: ['wh_1', 'wh_2'] };
    await runBatch();
    expect(marked).toEqual([[`batch_${runs}`, 2]]);
    for (const id of announcement.endpointIds) await handleOf(id).result();
  });

  it('is told by its announcement when the batch’s workflow was lost before, to each endpoint once', async () => {
    announcement = { event: newEvent(), endpointIds: ['wh_1', 'wh_2'] };
    const { client } = temporal.environment;
    const starter = createBatchStarter({ client, searchable: false });
    const batch = { _id: `batch_${runs}`, ownerId: 'key_1' };
    await Promise.all([1, 2].map(() => starter.startAnnouncement(batch)));
    await client.workflow.getHandle(announceWorkflowId(batch._id)).result();
    // Whoever read that it is due before it was noted.
    await starter.startAnnouncement(batch);
    await client.workflow.getHandle(announceWorkflowId(batch._id)).result();
    for (const id of ['wh_1', 'wh_2']) expect(await handleOf(id).result()).toMatchObject({ outcome: 'delivered' });
    expect(delivered.map(({ event, endpointId }) => `${event.dataId} ${endpointId}`).toSorted()).toEqual([
      `${batch._id} wh_1`,
      `${batch._id} wh_2`,
    ]);
    expect(marked[0]).toEqual([batch._id, 2]);
    await expect(client.workflow.getHandle(batch._id).describe()).rejects.toThrow();
  });

  it('is told once, though the batch runs to its end again', async () => {
    announcement = { event: newEvent(), endpointIds: ['wh_1'] };
    await runBatch();
    await handleOf('wh_1').result();
    await runBatch();
    expect(delivered).toHaveLength(1);
  });

  it('is told after the batch’s workflow is closed', async () => {
    outcomes = ['failed', 'delivered'];
    announcement = { event: newEvent(), endpointIds: ['wh_1'] };
    await runBatch();
    expect((await handleOf('wh_1').describe()).status.name).toBe('RUNNING');
    expect(await handleOf('wh_1').result()).toMatchObject({ outcome: 'delivered' });
  });
});
