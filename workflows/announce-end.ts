import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { startChild } from '@temporalio/workflow';
import { webhookWorkflowId } from '../core/contracts/webhook.ts';
import { shortActivities } from './proxies.ts';
import type { webhookWorkflow } from './webhook.ts';

/**
 * Tells the endpoints of a batch's key how it ended. Each delivery is a workflow that outlives the batch's; one that was started
 * before, by an earlier run of the batch, is left as it is.
 */
export async function announceEnd(batchId: string): Promise<void> {
  const announcement = await shortActivities.announceBatch({ batchId });
  if (announcement === null) return;
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
}
