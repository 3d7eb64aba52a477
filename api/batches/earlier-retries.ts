import { createHash } from 'node:crypto';
import { TERMINAL_BATCH_STATES } from '../../core/contracts/batch.ts';
import { ApiError } from '../../core/errors.ts';
import type { RetryReason } from '../../core/wire/batch-retry.ts';
import type { BatchDoc, BatchStore } from '../../store/batches.ts';

/** The id of a batch's retry: who asks twice at once makes the same one, and the second insert is refused. */
function retryBatchId(batchId: string, attempt: number): string {
  return `batch_${createHash('sha256').update(`${batchId}:retry:${attempt}`).digest('hex').slice(0, 32)}`;
}

/** What of a retry is free: the id of the next one, or the one that the very same request has made already. */
export type RetryPlace = { readonly repeated: BatchDoc } | { readonly nextId: string };

/**
 * Looks through the retries that a batch has had. A line is in one of them at most: whoever wants it once more retries that one,
 * so what an earlier retry has answered, or is about to, is never sent again. A retry that failed in its validation took none.
 * @param request what is asked for, as a text by which a repeat is known
 * @throws ApiError conflict that names the batch that has the lines already
 */
export async function findRetryPlace(
  batches: Pick<BatchStore, 'find'>,
  batchId: string,
  only: ReadonlySet<RetryReason>,
  request: string,
): Promise<RetryPlace> {
  for (let attempt = 1; ; attempt++) {
    const nextId = retryBatchId(batchId, attempt);
    const earlier = await batches.find(nextId);
    if (earlier === null) return { nextId };
    if (earlier.status === 'failed') continue;
    const isOver = TERMINAL_BATCH_STATES.includes(earlier.status);
    if (!isOver && earlier.retry?.request === request) return { repeated: earlier };
    const taken = earlier.retry?.only.filter((reason) => only.has(reason as RetryReason)) ?? [];
    if (taken.length > 0) throw takenAlready(batchId, earlier, taken, isOver);
  }
}

function takenAlready(batchId: string, { _id }: BatchDoc, taken: readonly string[], isOver: boolean): ApiError {
  const lines = `The ${taken.join(' and ')} lines of batch ${batchId}`;
  return new ApiError(
    'conflict',
    isOver
      ? `${lines} were retried as batch ${_id}. To try once more what is still without an answer, retry that one.`
      : `${lines} are being retried as batch ${_id}. Wait until it is over, or cancel it.`,
  );
}
