import { ApiError } from '../../core/errors.ts';

/** Also for a batch of another owner: nobody learns that it is there. */
export function noSuchBatch(batchId: string): ApiError {
  return new ApiError('not_found', `No batch found with id '${batchId}'.`, { param: 'id' });
}
