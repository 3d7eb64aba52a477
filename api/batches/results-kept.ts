import { ApiError } from '../../core/errors.ts';
import type { BatchDoc } from '../../store/batches.ts';

/**
 * For what needs the results of each line of a batch.
 * @throws ApiError not_found when they are removed: what is left of them must not pass for all
 */
export function assertResultsKept({ _id, results }: Pick<BatchDoc, '_id' | 'results'>): void {
  if (results === undefined) return;
  throw new ApiError(
    'not_found',
    `The results of batch ${_id} are removed: they are kept until its output files are deleted or expired, for 30 days at most.`,
    { param: 'id' },
  );
}

/**
 * Passes on what is read of a batch's results, and breaks off in the end where they were removed meanwhile: what came through then
 * may be a part, and must not look whole.
 * @param readBatch the batch as it is now; null when it is gone
 */
export async function* whileKept(
  source: AsyncIterable<string>,
  readBatch: () => Promise<Pick<BatchDoc, '_id' | 'results'> | null>,
): AsyncGenerator<string, void, undefined> {
  yield* source;
  const batch = await readBatch();
  if (batch !== null) assertResultsKept(batch);
}
