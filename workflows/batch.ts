import {
  CancellationScope,
  ChildWorkflowFailure,
  continueAsNew,
  isCancellation,
  startChild,
  TerminatedFailure,
} from '@temporalio/workflow';
import { CHUNKS_AT_A_TIME, type BatchEnd, type BatchInput } from '../core/contracts/batch.ts';
import { chunkWorkflowId } from '../core/contracts/ids.ts';
import type { batchChunkWorkflow } from './batch-chunk.ts';
import { announceEnd } from './announce-end.ts';
import { showStatus } from './batch-status.ts';
import { cancelNewestRuns, endOfChild } from './cancel-newest-runs.ts';
import { isTimeForNewRun, runAtProvider, type OpenChunks } from './provider-runs.ts';
import { fileActivities } from './proxies.ts';
import { refuseNewRunWhenCancelled } from './refuse-new-run.ts';
import { tellChunks } from './tell-chunks.ts';

/** After a continue-as-new: validation is over, and the chunks before this one are done. */
interface BatchProgress {
  readonly chunks: number;
  readonly nextChunk: number;
}

type Ending = 'completed' | 'expired' | 'cancelled';

/** How a batch came to its end without this run. */
type Over = { readonly over: BatchEnd };

/**
 * One batch: validation, a sliding window of chunks, the files. Its id is the batch's id, so a repeated start is the same
 * batch. Cancelling the workflow cancels the batch; the end of its completion window expires it. Either way every line
 * comes out exactly once.
 */
export async function batchWorkflow(input: BatchInput, progress?: BatchProgress): Promise<void> {
  const scope = CancellationScope.current();
  let ending: Ending | Over;
  try {
    const remainingMs = Math.max(1, input.expiresAt - Date.now());
    ending = await CancellationScope.withTimeout(remainingMs, () => validateAndRun(input, progress));
  } catch (error) {
    if (!isCancellation(error)) throw error;
    ending = scope.consideredCancelled ? 'cancelled' : 'expired';
  }
  await CancellationScope.nonCancellable(() => end(input.batchId, ending));
}

/** What a batch is while its files are written. One that expires has no state for it. */
const ON_THE_WAY_TO = { completed: 'finalizing', expired: 'in_progress', cancelled: 'cancelling' } as const;

async function end(batchId: string, reason: Ending | Over): Promise<void> {
  if (typeof reason === 'object') showStatus(reason.over);
  else {
    showStatus(ON_THE_WAY_TO[reason]);
    showStatus(await fileActivities.finalizeBatch({ batchId, reason }));
  }
  await announceEnd(batchId);
}

/** Nothing runs when the file was refused, or when the batch was over before this run of it began. */
async function validateAndRun(input: BatchInput, progress: BatchProgress | undefined): Promise<'completed' | Over> {
  if (progress !== undefined) {
    await runChunks(input, progress);
    return 'completed';
  }
  const validation = await fileActivities.validateBatch({ batchId: input.batchId });
  if (!validation.valid) return { over: validation.over ?? 'failed' };
  showStatus('in_progress');
  await runChunks(input, { chunks: validation.chunks, nextChunk: 0 });
  return 'completed';
}

async function runChunks(input: BatchInput, { chunks, nextChunk }: BatchProgress): Promise<void> {
  const running = new Map<number, Promise<void>>();
  const open: OpenChunks = { next: nextChunk, end: chunks, run: undefined, tellOfReturn: () => undefined };
  tellChunks(input.batchId, running);
  const scope = new CancellationScope();
  cancelNewestRuns(scope, input.batchId, running);
  const atProvider = scope.run(() => runAtProvider(input.batchId, open));
  // Only a cancellation is thrown by it, and that reaches the chunks as well.
  atProvider.catch(() => undefined);
  try {
    await scope.run(() => runWindow(input, chunks, open, running));
  } catch (error) {
    // Cancelled, expired, or this run gives way to the next one: whatever is under way comes to its end first. Looking for a
    // provider never ends by itself.
    scope.cancel();
    await Promise.allSettled([...running.values(), atProvider]);
    throw error;
  }
}

async function runWindow(
  input: BatchInput,
  chunks: number,
  open: OpenChunks,
  running: Map<number, Promise<void>>,
): Promise<void> {
  // A run whose chunks are all here holds nothing up but the end: what it has made is taken back, and paid.
  while (open.next < chunks || running.size > 0 || open.run !== undefined) {
    while (open.next < open.end && running.size < CHUNKS_AT_A_TIME && !isTimeForNewRun(open)) {
      const index = open.next++;
      running.set(
        index,
        runChunk(input, index).finally(() => running.delete(index)),
      );
    }
    if (running.size === 0 && open.run === undefined) {
      refuseNewRunWhenCancelled();
      await continueAsNew<(input: BatchInput, progress: BatchProgress) => Promise<void>>(input, {
        chunks,
        nextChunk: open.next,
      });
    }
    const returned = new Promise<void>((resolve) => (open.tellOfReturn = resolve));
    await Promise.race([...running.values(), ...(open.run === undefined ? [] : [open.run]), returned]);
  }
}

/**
 * Runs one chunk to its end. One that somebody cancels or terminates by hand while its batch goes on is run again: what is done is
 * done, and the rest must come to an outcome. To end a batch, the batch is cancelled.
 */
async function runChunk({ batchId, keyId, expiresAt }: BatchInput, chunkIndex: number): Promise<void> {
  const scope = CancellationScope.current();
  for (;;) {
    try {
      const chunk = await startChild<typeof batchChunkWorkflow>('batchChunkWorkflow', {
        workflowId: chunkWorkflowId(batchId, chunkIndex),
        args: [{ batchId, keyId, chunkIndex, expiresAt }],
        cancellationType: 'WAIT_CANCELLATION_COMPLETED',
        staticSummary: `chunk ${chunkIndex} of ${batchId}`,
      });
      return await endOfChild(chunk);
    } catch (error) {
      if (scope.consideredCancelled || !isEndedByHand(error)) throw error;
    }
  }
}

function isEndedByHand(error: unknown): boolean {
  return isCancellation(error) || (error instanceof ChildWorkflowFailure && error.cause instanceof TerminatedFailure);
}
