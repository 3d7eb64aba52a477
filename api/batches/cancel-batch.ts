import type { Clock } from '../../core/clock.ts';
import { ApiError } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import type { BatchDoc, BatchStore } from '../../store/batches.ts';

export interface CancelBatchDeps {
  readonly batches: Pick<BatchStore, 'transition' | 'find'>;
  readonly clock: Clock;
  /** Tells the batch's workflow that it is cancelled. Safe to repeat. */
  readonly cancelBatch: (batchId: string) => Promise<void>;
  readonly log: Pick<Logger, 'warn'>;
}

/**
 * Cancels a batch: that is stored first, and then its workflow is told, by the sweep if not by us. A repeat while it is cancelling does
 * the same again: the first answer, or the telling, may have been lost.
 * @returns the batch as it is after
 * @throws ApiError conflict when it is over, or ends just now
 */
export async function cancelStoredBatch(deps: CancelBatchDeps, found: BatchDoc): Promise<BatchDoc> {
  const { batches, clock } = deps;
  const batch =
    (await batches.transition(found._id, 'cancelling', clock.now())) ?? (await batches.find(found._id)) ?? found;
  if (batch.status !== 'cancelling') {
    throw new ApiError('conflict', `Cannot cancel a batch with status '${batch.status}'.`);
  }
  await tell(deps, batch._id);
  return batch;
}

/** What could not be told is no failure: nothing more of the batch goes out, and the sweep tells its workflow. */
async function tell(
  { cancelBatch, log }: Pick<CancelBatchDeps, 'cancelBatch' | 'log'>,
  batchId: string,
): Promise<void> {
  try {
    await cancelBatch(batchId);
  } catch (error) {
    log.warn({ err: error, batchId }, 'a batch is cancelled, and its workflow could not be told; the sweep does it');
  }
}

interface CancelBatchesDeps extends Omit<CancelBatchDeps, 'batches'> {
  readonly batches: Pick<BatchStore, 'transition' | 'listCancellable'>;
}

/** Batches in one read. */
const PAGE = 100;

/**
 * Cancels all batches of a key that can be, one after the other. Safe to repeat. One whose workflow can't be told counts as well.
 * @returns how many are cancelled by this call
 */
export async function cancelBatchesOf(deps: CancelBatchesDeps, ownerId: string): Promise<number> {
  const { batches, clock } = deps;
  let cancelled = 0;
  let last: BatchDoc | null = null;
  do {
    const page: BatchDoc[] = await batches.listCancellable(ownerId, PAGE, last);
    for (const { _id: batchId } of page) {
      // It may have come to its end meanwhile.
      if ((await batches.transition(batchId, 'cancelling', clock.now())) === null) continue;
      cancelled += 1;
      await tell(deps, batchId);
    }
    last = page.length < PAGE ? null : (page.at(-1) ?? null);
  } while (last !== null);
  return cancelled;
}
