import { sleep } from '@temporalio/workflow';
import { pauseAfterAttemptMs, type WebhookDelivery, type WebhookInput } from '../core/contracts/webhook.ts';
import { webhookActivities } from './proxies.ts';

/**
 * One event to one endpoint, until it is delivered, the endpoint is gone, or the last pause is over. Its id is made of both, so
 * there is one of it. Its history holds ids, times and how the receiver answered.
 */
export async function webhookWorkflow({ event, endpointId, once }: WebhookInput): Promise<WebhookDelivery> {
  const { deliverWebhook } = webhookActivities(endpointId);
  for (let attempt = 1; ; attempt++) {
    const delivery = await deliverWebhook({ event, endpointId, attempt });
    if (delivery.outcome !== 'failed' || once) return delivery;
    const pauseMs = pauseAfterAttemptMs(attempt, Math.random());
    if (pauseMs === null) return delivery;
    await sleep(pauseMs);
  }
}
