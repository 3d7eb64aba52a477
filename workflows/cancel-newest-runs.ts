import { CancellationScope, getExternalWorkflowHandle, patched } from '@temporalio/workflow';
import { chunkWorkflowId } from '../core/contracts/ids.ts';

/** Batches that were cancelled before it was there have asked the first runs of their chunks alone. */
const CANCEL_NEWEST_RUNS = 'cancel-newest-runs';

/**
 * Has the cancellation of a scope reach each chunk that runs then in its newest run. As a child a chunk is cancelled by the id of the
 * run with which it started: where that has gone on in a new one, the server takes the request and nobody hears of it. A run that
 * is asked and would go on in a new one at the same moment is cancelled instead.
 */
export function cancelNewestRuns(
  scope: CancellationScope,
  batchId: string,
  running: ReadonlyMap<number, unknown>,
): void {
  scope.cancelRequested.catch(() => {
    if (running.size === 0 || !patched(CANCEL_NEWEST_RUNS)) return;
    for (const chunkIndex of running.keys()) void cancelNewestRun(chunkWorkflowId(batchId, chunkIndex));
  });
}

async function cancelNewestRun(workflowId: string): Promise<void> {
  try {
    await CancellationScope.nonCancellable(() => getExternalWorkflowHandle(workflowId).cancel());
  } catch {
    // It is over, or was not begun: then it is cancelled as a child.
  }
}
