import { CancellationScope, continueAsNew, executeChild, isCancellation, workflowInfo } from '@temporalio/workflow';
import { CHUNKS_AT_A_TIME, type BatchInput } from '../core/contracts/batch.ts';
import { chunkWorkflowId } from '../core/contracts/ids.ts';
import type { batchChunkWorkflow } from './batch-chunk.ts';
import { fileActivities } from './proxies.ts';

/** After a continue-as-new: validation is over, and the chunks before this one are done. */
interface BatchProgress {
  readonly chunks: number;
  readonly nextChunk: number;
}

type Ending = 'completed' | 'expired' | 'cancelled';

/**
 * One batch: validation, a sliding window of chunks, the files. Its id is the batch's id, so a repeated start is the same
 * batch. Cancelling the workflow cancels the batch; the end of its completion window expires it. Either way every line
 * comes out exactly once.
 */
export async function batchWorkflow(input: BatchInput, progress?: BatchProgress): Promise<void> {
  const scope = CancellationScope.current();
  let ending: Ending = 'completed';
  try {
    const remainingMs = Math.max(1, input.expiresAt - Date.now());
    const valid = await CancellationScope.withTimeout(remainingMs, () => validateAndRun(input, progress));
    if (!valid) return;
  } catch (error) {
    if (!isCancellation(error)) throw error;
    ending = scope.consideredCancelled ? 'cancelled' : 'expired';
  }
  await CancellationScope.nonCancellable(() =>
    fileActivities.finalizeBatch({ batchId: input.batchId, reason: ending }),
  );
}

/** False when the file was refused; then the batch has failed and nothing runs. */
async function validateAndRun(input: BatchInput, progress: BatchProgress | undefined): Promise<boolean> {
  if (progress !== undefined) {
    await runChunks(input, progress);
    return true;
  }
  const validation = await fileActivities.validateBatch({ batchId: input.batchId });
  if (!validation.valid) return false;
  await runChunks(input, { chunks: validation.chunks, nextChunk: 0 });
  return true;
}

async function runChunks(input: BatchInput, { chunks, nextChunk }: BatchProgress): Promise<void> {
  const running = new Set<Promise<void>>();
  try {
    await runWindow(input, chunks, nextChunk, running);
  } catch (error) {
    // Cancelled or expired: every chunk comes to its end before the files are written.
    await Promise.allSettled(running);
    throw error;
  }
}

async function runWindow(
  input: BatchInput,
  chunks: number,
  nextChunk: number,
  running: Set<Promise<void>>,
): Promise<void> {
  let next = nextChunk;
  while (next < chunks || running.size > 0) {
    while (next < chunks && running.size < CHUNKS_AT_A_TIME && !workflowInfo().continueAsNewSuggested) {
      const chunk: Promise<void> = runChunk(input, next).finally(() => running.delete(chunk));
      running.add(chunk);
      next += 1;
    }
    if (running.size === 0) {
      await continueAsNew<(input: BatchInput, progress: BatchProgress) => Promise<void>>(input, {
        chunks,
        nextChunk: next,
      });
    }
    await Promise.race(running);
  }
}

/**
 * Runs one chunk to its end. One that somebody cancels by hand while its batch goes on is run again: what is done is done,
 * and the rest must come to an outcome. To end a batch, the batch is cancelled.
 */
async function runChunk({ batchId, keyId, expiresAt }: BatchInput, chunkIndex: number): Promise<void> {
  const scope = CancellationScope.current();
  for (;;) {
    try {
      return await executeChild<typeof batchChunkWorkflow>('batchChunkWorkflow', {
        workflowId: chunkWorkflowId(batchId, chunkIndex),
        args: [{ batchId, keyId, chunkIndex, expiresAt }],
        cancellationType: 'WAIT_CANCELLATION_COMPLETED',
        staticSummary: `chunk ${chunkIndex} of ${batchId}`,
      });
    } catch (error) {
      if (!isCancellation(error) || scope.consideredCancelled) throw error;
    }
  }
}
