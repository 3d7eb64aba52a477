import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { Clock } from '../../core/clock.ts';
import { CONTROL_CHANGED_SIGNAL } from '../../core/contracts/batch-control.ts';
import { TASK_PRIORITY, WORKFLOW_TASK_QUEUE } from '../../core/contracts/queues.ts';
import type { Logger } from '../../core/log.ts';
import type { BatchDoc, BatchStore } from '../../store/batches.ts';
import type { batchWorkflow } from '../../workflows/batch.ts';
import { batchSearchAttributes, isAboutSearchAttributes } from '../temporal/search-attributes.ts';

/** How often batches are looked for whose workflow was never started or was lost, and how old they must be. */
const SWEEP_EVERY_MS = 30_000;
const LOST_AFTER_MS = 20_000;
const SWEEP_PAGE = 100;

interface BatchStarterDeps {
  readonly client: Client;
  readonly batches: BatchStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** True when the server knows our search attributes. */
  readonly searchable: boolean;
}

type StartedBatch = Pick<BatchDoc, '_id' | 'ownerId' | 'expiresAt' | 'endpoint'>;

/**
 * Starts and cancels batch workflows. The batch in the database is the truth: one whose workflow could not be started, or
 * whose Temporal server lost it, is started again by a sweep. The workflow's id is the batch's, so nothing starts twice.
 */
export function createBatchStarter({ client, batches, clock, log, searchable }: BatchStarterDeps) {
  let timer: NodeJS.Timeout | undefined;
  let sweeping: Promise<void> = Promise.resolve();

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

  const cancelBatch = async (batchId: string): Promise<void> => {
    try {
      await client.workflow.getHandle(batchId).cancel();
    } catch (error) {
      // Its workflow is over or was lost: the sweep brings the batch to its end.
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  };

  const wakeBatch = async (batchId: string): Promise<void> => {
    try {
      await client.workflow.getHandle(batchId).signal(CONTROL_CHANGED_SIGNAL);
    } catch (error) {
      // Whatever starts it anew reads what is stored.
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  };

  const sweep = async (): Promise<void> => {
    const before = clock.now() - LOST_AFTER_MS;
    const states = ['validating', 'in_progress', 'finalizing', 'cancelling'] as const;
    // Page by page: a batch that was lost must be found behind any number of older ones that run.
    let unfinished = await batches.listInStates(states, before, SWEEP_PAGE);
    while (unfinished.length > 0) {
      for (const batch of unfinished) {
        await startBatch(batch);
        if (batch.status === 'cancelling') await cancelBatch(batch._id);
      }
      if (unfinished.length < SWEEP_PAGE) return;
      unfinished = await batches.listInStates(states, before, SWEEP_PAGE, unfinished.at(-1) ?? null);
    }
  };

  return {
    startBatch,
    cancelBatch,
    wakeBatch,
    startSweep(): void {
      timer = setInterval(() => {
        sweeping = sweep().catch((error: unknown) => log.warn({ err: error }, 'the sweep of lost batches failed'));
      }, SWEEP_EVERY_MS);
    },
    async stopSweep(): Promise<void> {
      clearInterval(timer);
      await sweeping;
    },
  };
}
