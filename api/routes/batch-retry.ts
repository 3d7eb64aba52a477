import type { FastifyInstance } from 'fastify';
import { toBatchObject, type BatchObject } from '../../core/wire/batch-object.ts';
import { batchRetrySchema } from '../../core/wire/batch-retry.ts';
import type { BatchDoc } from '../../store/batches.ts';
import { noSuchBatch } from '../batches/no-such-batch.ts';
import { notStarted } from '../batches/not-started.ts';
import { assertResultsKept } from '../batches/results-kept.ts';
import { createRetryBatch, type RetryBatchDeps } from '../batches/retry-batch.ts';
import { parseBody } from '../parse-body.ts';

export interface BatchRetryRouteDeps extends RetryBatchDeps {
  /** Starts the batch's workflow. Safe to repeat. */
  readonly startBatch: (batch: BatchDoc) => Promise<void>;
}

/** `POST /v1/batches/{id}/retry`: a new batch of the lines that have no answer. What was answered is never sent again. */
export function registerBatchRetryRoute(app: FastifyInstance, deps: BatchRetryRouteDeps): void {
  const retryBatch = createRetryBatch(deps);
  app.post<{ Params: { readonly id: string } }>(
    '/v1/batches/:id/retry',
    async ({ params, body, caller, log }, reply): Promise<BatchObject> => {
      const asked = parseBody(batchRetrySchema, body ?? {});
      const source = await deps.batches.findOwned(caller.keyId, params.id);
      if (source === null) throw noSuchBatch(params.id);
      assertResultsKept(source);
      const batch = await retryBatch(caller, source, asked);
      try {
        await deps.startBatch(batch);
      } catch (cause) {
        log.error({ err: cause, batchId: batch._id }, 'a batch could not be started; the sweep will start it');
        throw notStarted(reply, batch._id, cause);
      }
      return toBatchObject(batch);
    },
  );
}
