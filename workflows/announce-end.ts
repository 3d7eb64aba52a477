import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { patched, startChild } from '@temporalio/workflow';
import { webhookWorkflowId } from '../core/contracts/webhook.ts';
import { shortActivities } from './proxies.ts';
import type { webhookWorkflow } from './webhook.ts';

/** Runs of batches that began before ends were noted as announced close without it. */
const MARKS_ANNOUNCED = 'marks-announced';

/**
 * Tells the endpoints of a batch's key how it ended, and notes it. Each delivery is a workflow that outlives the batch's; one that was
 * started before, by an earlier run of the batch, is left as it is. What is lost before the note is done again by whoever sweeps.
 */
export async function announceEnd(batchId: string): Promise<void> {
  const announcement = await shortActivities.announceBatch({ batchId });
  // An end that nobody hears of is noted already: most batches have no endpoint, and pay nothing for this.
  if (announcement === null || announcement.endpointIds.length === 0) return;
  const { event, endpointIds } = announcement;
  await Promise.all(
    endpointIds.map(async (endpointId) => {
      try {
        await startChild<typeof webhookWorkflow>('webhookWorkflow', {
          workflowId: webhookWorkflowId(event.id, endpointId),
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
          parentClosePolicy: 'ABANDON',
          cancellationType: 'ABANDON',
          args: [{ event, endpointId, once: false }],
          staticSummary: `${event.type} of ${event.dataId} to ${endpointId}`,
        });
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      }
    }),
  );
  if (patched(MARKS_ANNOUNCED)) await shortActivities.markAnnounced({ batchId });
}
