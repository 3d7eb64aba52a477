import {
  CancellationScope,
  getExternalWorkflowHandle,
  patched,
  type ChildWorkflowHandle,
  type Workflow,
} from '@temporalio/workflow';
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

/**
 * Waits for the end of a child that has just begun, and cancels it if its scope was cancelled before that: nobody was there to take
 * the request, and as a child it is not asked again.
 * @throws ChildWorkflowFailure when it fails, or is cancelled or terminated
 */
export async function endOfChild(child: ChildWorkflowHandle<Workflow>): Promise<void> {
  if (CancellationScope.current().consideredCancelled && patched(CANCEL_NEWEST_RUNS)) {
    void cancelNewestRun(child.workflowId);
  }
  // As many turns as with `executeChild`, which earlier versions called: with fewer, what follows could come before a timer that ends
  // at the same moment.
  await child.result();
}

async function cancelNewestRun(workflowId: string): Promise<void> {
  try {
    await CancellationScope.nonCancellable(() => getExternalWorkflowHandle(workflowId).cancel());
  } catch {
    // It is over, or its start is under way: then it is asked once more when it has begun.
  }
}
