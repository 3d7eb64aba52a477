import { executeChild, isCancellation, sleep, workflowInfo } from '@temporalio/workflow';
import {
  FIRST_PLAN_LOOK_MS,
  LONGEST_PLAN_LOOK_MS,
  providerBatchWorkflowId,
  type ProviderBatchInput,
} from '../core/contracts/provider-batch.ts';
import type { providerBatchWorkflow } from './provider-batch.ts';
import { shortActivities } from './proxies.ts';

/** The chunks of a batch that have not begun. What a provider takes comes off the end, and back when it is done. */
export interface OpenChunks {
  next: number;
  end: number;
  /** What a provider has of them now. */
  run: Promise<void> | undefined;
  /** Called when chunks have come back. */
  tellOfReturn: () => void;
}

/**
 * True when the history is long and nothing may begin in this run any more. Not while a provider has a part of the batch: that
 * takes hours, and the chunks that are here must go on meanwhile.
 */
export function isTimeForNewRun(open: OpenChunks): boolean {
  return workflowInfo().continueAsNewSuggested && open.run === undefined;
}

/**
 * Looks from time to time whether chunks that have not begun should go to a provider's Batch API, and runs them there. One
 * run at a time. Never ends by itself before all chunks have begun; a chunk that comes back serves what is left of it.
 */
export async function runAtProvider(batchId: string, open: OpenChunks): Promise<void> {
  let pauseMs = FIRST_PLAN_LOOK_MS;
  while (open.next < open.end) {
    await sleep(pauseMs);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PLAN_LOOK_MS);
    if (open.next >= open.end) return;
    if (workflowInfo().continueAsNewSuggested) continue;
    const run = await shortActivities.planProviderBatch({ batchId, nextChunk: open.next, endChunk: open.end });
    // Chunks may have begun while this was thought about.
    if (run === null || run.endChunk !== open.end || run.firstChunk < open.next) continue;
    open.end = run.firstChunk;
    open.run = serveAtProvider(run).finally(() => {
      open.end = run.endChunk;
      open.run = undefined;
      open.tellOfReturn();
    });
    await open.run;
  }
}

async function serveAtProvider(run: ProviderBatchInput): Promise<void> {
  try {
    await executeChild<typeof providerBatchWorkflow>('providerBatchWorkflow', {
      workflowId: providerBatchWorkflowId(run.batchId, run.firstChunk),
      args: [run],
      cancellationType: 'WAIT_CANCELLATION_COMPLETED',
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      staticSummary: `chunks ${run.firstChunk} to ${run.endChunk - 1} of ${run.batchId} at ${run.lane.alias}`,
    });
  } catch (error) {
    if (isCancellation(error)) throw error;
    // The lane is gone, say: its lines are served as if nothing had been tried.
  }
}
