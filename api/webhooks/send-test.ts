import type { Client } from '@temporalio/client';
import type { Clock } from '../../core/clock.ts';
import {
  webhookWorkflowId,
  type WebhookDelivery,
  type WebhookEvent,
  type WebhookEventType,
} from '../../core/contracts/webhook.ts';
import { WORKFLOW_TASK_QUEUE } from '../../core/contracts/queues.ts';
import { newEventId } from '../../core/ids.ts';
import type { webhookWorkflow } from '../../workflows/webhook.ts';

/** No batch has this id: receivers that look it up find nothing. */
const TEST_BATCH_ID = `batch_${'0'.repeat(32)}`;

/** 15 s for the receiver, and as much for a worker to take it. */
const OUTCOME_WITHIN_MS = 30_000;

/** Sends a test event to an endpoint. Resolves with what came of it, or null when no worker took it in time. */
export type SendTestWebhook = (
  endpointId: string,
  type: WebhookEventType,
) => Promise<{ readonly event: WebhookEvent; readonly delivery: WebhookDelivery | null }>;

/** A test goes the way of every event, workers and signature included, but is tried once. */
export function createSendTestWebhook({ client, clock }: { client: Client; clock: Clock }): SendTestWebhook {
  return async (endpointId, type) => {
    const event: WebhookEvent = { id: newEventId(), type, createdAt: clock.now(), dataId: TEST_BATCH_ID };
    const handle = await client.workflow.start<typeof webhookWorkflow>('webhookWorkflow', {
      workflowId: webhookWorkflowId(event.id, endpointId),
      taskQueue: WORKFLOW_TASK_QUEUE,
      // Nobody waits for it after that.
      workflowExecutionTimeout: OUTCOME_WITHIN_MS,
      args: [{ event, endpointId, once: true }],
      staticSummary: `test of ${endpointId}`,
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), OUTCOME_WITHIN_MS);
    });
    try {
      const delivery = await Promise.race([handle.result().catch(() => null), late]);
      return { event, delivery };
    } finally {
      clearTimeout(timer);
    }
  };
}
