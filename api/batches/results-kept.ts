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
