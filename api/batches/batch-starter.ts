import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError, type Client } from '@temporalio/client';
import { CONTROL_CHANGED_SIGNAL } from '../../core/contracts/batch-control.ts';
import { announceWorkflowId } from '../../core/contracts/ids.ts';
import { TASK_PRIORITY, WORKFLOW_TASK_QUEUE } from '../../core/contracts/queues.ts';
import type { BatchDoc } from '../../store/batches.ts';
import type { announceWorkflow } from '../../workflows/announce.ts';
import type { batchWorkflow } from '../../workflows/batch.ts';
import { batchSearchAttributes, isAboutSearchAttributes } from '../temporal/search-attributes.ts';

/** A workflow that can't be told in this time is told by the sweep. The client alone would try for twenty seconds. */
const TELL_LIMIT_MS = 5_000;

interface BatchStarterDeps {
  readonly client: Client;
  /** True when the server knows our search attributes. */
  readonly searchable: boolean;
}

type StartedBatch = Pick<BatchDoc, '_id' | 'ownerId' | 'expiresAt' | 'endpoint'>;

/** Starts, cancels and wakes batch workflows. A workflow's id is the batch's, so nothing starts twice. */
export function createBatchStarter({ client, searchable }: BatchStarterDeps) {
  const start = async (batch: StartedBatch, searchable: boolean): Promise<void> => {
    try {
      await client.workflow.start<typeof batchWorkflow>('batchWorkflow', {
        workflowId: batch._id,
        // A workflow that closes by itself has brought its batch to an end, cancelled and expired ones too: whoever read the batch
        // before that must not run it again. One that was terminated or has failed has not.
        workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
        taskQueue: WORKFLOW_TASK_QUEUE,
        args: [{ batchId: batch._id, keyId: batch.ownerId, expiresAt: batch.expiresAt }],
        priority: { priorityKey: TASK_PRIORITY.batch, fairnessKey: batch.ownerId },
        staticSummary: `batch of ${batch.ownerId}`,
        ...(searchable ? { typedSearchAttributes: batchSearchAttributes(batch) } : {}),
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  };

  /** A batch is started without search attributes rather than not at all. */
  const startBatch = async (batch: StartedBatch): Promise<void> => {
    try {
      await start(batch, searchable);
    } catch (error) {
      if (!searchable || !isAboutSearchAttributes(error)) throw error;
      await start(batch, false);
    }
  };

  const tell = (call: () => Promise<unknown>): Promise<unknown> =>
    client.withDeadline(Date.now() + TELL_LIMIT_MS, call);

  const cancelBatch = async (batchId: string): Promise<void> => {
    try {
      await tell(() => client.workflow.getHandle(batchId).cancel());
    } catch (error) {
      // Its workflow is over or was lost: the sweep brings the batch to its end.
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  };

  const wakeBatch = async (batchId: string): Promise<void> => {
    try {
      await tell(() => client.workflow.getHandle(batchId).signal(CONTROL_CHANGED_SIGNAL));
    } catch (error) {
      // Whatever starts it anew reads what is stored.
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  };

  const startAnnouncement = async ({ _id: batchId, ownerId }: Pick<BatchDoc, '_id' | 'ownerId'>): Promise<void> => {
    try {
      await client.workflow.start<typeof announceWorkflow>('announceWorkflow', {
        workflowId: announceWorkflowId(batchId),
        taskQueue: WORKFLOW_TASK_QUEUE,
        args: [{ batchId }],
        priority: { priorityKey: TASK_PRIORITY.batch, fairnessKey: ownerId },
        staticSummary: `end of ${batchId}`,
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  };

  return { startBatch, cancelBatch, wakeBatch, startAnnouncement };
}
