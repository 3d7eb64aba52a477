import {
  batchEventId,
  type AnnounceInput,
  type BatchAnnouncement,
  type WebhookEventType,
} from '../../core/contracts/webhook.ts';
import type { BatchAnnouncementStore } from '../../store/batch-announcements.ts';
import type { BatchDoc, BatchStore } from '../../store/batches.ts';
import type { WebhookStore } from '../../store/webhooks.ts';

interface AnnounceBatchDeps {
  readonly batches: Pick<BatchStore, 'find'>;
  readonly batchAnnouncements: Pick<BatchAnnouncementStore, 'markAnnounced'>;
  readonly webhooks: Pick<WebhookStore, 'listenersOf'>;
}

/**
 * The activity that says who is to hear of a batch's end. It sends nothing: each endpoint's delivery is a workflow of its own,
 * with an id made of event and endpoint. Null while the batch is not over, when its end was announced before, and when it is gone.
 * An end that nobody wants to hear of is announced with that.
 */
export function createAnnounceBatch({ batches, batchAnnouncements, webhooks }: AnnounceBatchDeps) {
  return async function announceBatch({ batchId }: AnnounceInput): Promise<BatchAnnouncement | null> {
    const batch = await batches.find(batchId);
    const end = batch?.announce === 'due' ? endOf(batch) : null;
    if (batch === null || end === null) return null;
    const endpointIds = await webhooks.listenersOf(batch.ownerId, end.type);
    if (endpointIds.length === 0) await batchAnnouncements.markAnnounced(batchId);
    return { event: { id: batchEventId(batchId), ...end, dataId: batchId }, endpointIds };
  };
}

function endOf(batch: BatchDoc): { type: WebhookEventType; createdAt: number } | null {
  const at = (time: number | null): number => time ?? batch.createdAt;
  switch (batch.status) {
    case 'completed':
      return { type: 'batch.completed', createdAt: at(batch.completedAt) };
    case 'failed':
      return { type: 'batch.failed', createdAt: at(batch.failedAt) };
    case 'expired':
      return { type: 'batch.expired', createdAt: at(batch.expiredAt) };
    case 'cancelled':
      return { type: 'batch.cancelled', createdAt: at(batch.cancelledAt) };
    case 'validating':
    case 'in_progress':
    case 'finalizing':
    case 'cancelling':
      return null;
  }
}
