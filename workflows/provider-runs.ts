import {
  CancellationScope,
  ChildWorkflowFailure,
  isCancellation,
  patched,
  sleep,
  startChild,
  TerminatedFailure,
  workflowInfo,
} from '@temporalio/workflow';
import { FIRST_PLAN_LOOK_MS, LONGEST_PLAN_LOOK_MS, type ProviderBatchInput } from '../core/contracts/provider-batch.ts';
import { providerBatchWorkflowId } from '../core/contracts/provider-run.ts';
import { endOfChild } from './cancel-newest-runs.ts';
import type { providerBatchWorkflow } from './provider-batch.ts';
import { shortActivities } from './proxies.ts';

/** The chunks of a batch that have not begun. What a provider takes comes off the end, and back when it is done. */
export interface OpenChunks {
  next: number;
  end: number;
  /** What a provider has now: of these chunks, or of earlier ones of a batch that was begun anew. */
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

/** Batches that began before it was there have no second look, and nothing that it could find. */
const LOOK_FOR_OPEN_RUN = 'look-for-open-run';

/**
 * Looks from time to time whether chunks that have not begun should go to a provider's Batch API, and runs them there. One
 * run at a time. Never ends by itself before all chunks have begun; a chunk that comes back serves what is left of it.
 */
export async function runAtProvider(batchId: string, open: OpenChunks): Promise<void> {
  const scope = CancellationScope.current();
  let pauseMs = FIRST_PLAN_LOOK_MS;
  let isFirstLook = true;
  while (open.next < open.end) {
    await sleep(pauseMs);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PLAN_LOOK_MS);
    // A batch that was begun anew may have all its chunks under way by now, and a run that nobody watches.
    if (open.next >= open.end && !(isFirstLook && patched(LOOK_FOR_OPEN_RUN))) return;
    isFirstLook = false;
    if (workflowInfo().continueAsNewSuggested) continue;
    const run = await shortActivities.planProviderBatch({ batchId, nextChunk: open.next, endChunk: open.end });
    if (run === null) continue;
    // Chunks may have begun while this was thought about, or before their batch was begun anew.
    const isHere = run.endChunk !== open.end || run.firstChunk < open.next;
    if (isHere && run.number === undefined) continue;
    const serving = isHere ? serveAtProvider(scope, { ...run, isTakenBack: true }) : serveAtProvider(scope, run);
    if (!isHere) open.end = run.firstChunk;
    let mayGoOn = true;
    open.run = serving
      .then((wasLeftAlone) => void (mayGoOn = wasLeftAlone))
      .finally(() => {
        if (!isHere) open.end = run.endChunk;
        open.run = undefined;
        open.tellOfReturn();
      });
    await open.run;
    // Whoever has ended it wants the lines served by calls.
    if (!mayGoOn) return;
  }
}

/** Runs it to its end. False when somebody has ended it by hand while its batch goes on. */
async function serveAtProvider(scope: CancellationScope, run: ProviderBatchInput): Promise<boolean> {
  try {
    const child = await startChild<typeof providerBatchWorkflow>('providerBatchWorkflow', {
      workflowId: providerBatchWorkflowId(run),
      args: [run],
      cancellationType: 'WAIT_CANCELLATION_COMPLETED',
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      staticSummary: `chunks ${run.firstChunk} to ${run.endChunk - 1} of ${run.batchId} at ${run.lane.alias}`,
    });
    await endOfChild(child);
    return true;
  } catch (error) {
    const isCancelled = isCancellation(error);
    if (isCancelled && scope.consideredCancelled) throw error;
    if (isTerminated(error) && run.number !== undefined && run.isTakenBack !== true) {
      // It had no time to take back what it had made.
      await serveAtProvider(scope, { ...run, isTakenBack: true });
      return false;
    }
    // The lane is gone, say: its lines are served as if nothing had been tried.
    return !isCancelled;
  }
}

function isTerminated(error: unknown): boolean {
  return error instanceof ChildWorkflowFailure && error.cause instanceof TerminatedFailure;
}
