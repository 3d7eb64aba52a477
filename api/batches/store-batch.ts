import { ApiError } from '../../core/errors.ts';
import { mayBeStored } from '../../store/store-trouble.ts';
import type { BatchDoc, BatchStore } from '../../store/batches.ts';

/**
 * Stores a batch whose client may send it again under another id. What was written and not acknowledged is started by the sweep, so
 * the second one would be paid as well: the insert is done once more, which under the same id makes no second one.
 * @throws ApiError that asks not to send it again when nobody knows whether it is stored; what the store threw when it is not
 */
export async function storeBatch(batches: Pick<BatchStore, 'insert'>, batch: BatchDoc): Promise<BatchDoc> {
  try {
    return await batches.insert(batch);
  } catch (refusal) {
    if (!mayBeStored(refusal)) throw refusal;
    return batches.insert(batch).catch((cause: unknown) => {
      throw maybeStored(batch._id, cause);
    });
  }
}

function maybeStored(batchId: string, cause: unknown): ApiError {
  return new ApiError(
    'server_is_overloaded',
    `The database did not say whether batch ${batchId} is stored. If it is, it will start by itself: send it again only when GET /v1/batches/${batchId} does not find it.`,
    { shouldRetry: false, cause },
  );
}
