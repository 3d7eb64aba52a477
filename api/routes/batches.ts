import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Clock } from '../../core/clock.ts';
import { ApiError } from '../../core/errors.ts';
import { newBatchId } from '../../core/ids.ts';
import { readBatchCreate } from '../../core/wire/batch-create.ts';
import { toBatchObject, type BatchObject } from '../../core/wire/batch-object.ts';
import { readListQuery, toListPage } from '../../core/wire/list-page.ts';
import { newBatch, type BatchDoc, type BatchStore } from '../../store/batches.ts';
import type { FileStore } from '../../store/files.ts';

export interface BatchRouteDeps {
  readonly files: FileStore;
  readonly batches: BatchStore;
  readonly clock: Clock;
  /** Starts the batch's workflow. A batch whose start fails stays `validating` and is started by the sweep. */
  readonly startBatch: (batch: BatchDoc) => Promise<void>;
  /** Tells the batch's workflow that it is cancelled. Safe to repeat. */
  readonly cancelBatch: (batchId: string) => Promise<void>;
}

interface IdParams {
  readonly Params: { readonly id: string };
}

const LIST_BOUNDS = { defaultLimit: 20, maxLimit: 100 };

/** `/v1/batches`: create, list, read, cancel. Every query has the caller's key in it; another owner's id is a 404. */
export function registerBatchRoutes(app: FastifyInstance, deps: BatchRouteDeps): void {
  const { files, batches, clock } = deps;

  /** A file that is not found is no error here: the batch fails of it, as at OpenAI. */
  const checkPurpose = async (ownerId: string, fileId: string): Promise<void> => {
    const file = await files.findOwned(ownerId, fileId, clock.now());
    if (file === null || file.purpose === 'batch') return;
    throw new ApiError('invalid_value', "Invalid 'input_file_id': the purpose of the file must be 'batch'.", {
      param: 'input_file_id',
    });
  };

  app.post('/v1/batches', async ({ body, caller, log }, reply): Promise<BatchObject> => {
    const create = readBatchCreate(body);
    await checkPurpose(caller.keyId, create.inputFileId);
    const createdAt = clock.now();
    const batch = newBatch({
      _id: newBatchId(),
      ownerId: caller.keyId,
      endpoint: create.endpoint,
      inputFileId: create.inputFileId,
      completionWindow: create.completionWindow,
      createdAt,
      expiresAt: createdAt + create.windowMs,
      metadata: create.metadata,
      outputExpiresAfterSeconds: create.outputExpiresAfterSeconds,
    });
    await batches.insert(batch);
    try {
      await deps.startBatch(batch);
    } catch (cause) {
      log.error({ err: cause, batchId: batch._id }, 'a batch could not be started; the sweep will start it');
      throw notStarted(reply, batch._id, cause);
    }
    return toBatchObject(batch);
  });

  app.get<{ Querystring: Readonly<Record<string, unknown>> }>('/v1/batches', async ({ query, caller }) => {
    const { limit, after: afterId } = readListQuery(query, LIST_BOUNDS);
    const after = afterId === null ? null : await batches.findPlace(caller.keyId, afterId);
    if (afterId !== null && after === null) {
      throw new ApiError('invalid_value', `Invalid value for 'after': there is no batch ${afterId}.`, {
        param: 'after',
      });
    }
    const { items, hasMore } = await batches.list(caller.keyId, { limit, after });
    return toListPage(items.map(toBatchObject), hasMore);
  });

  app.get<IdParams>('/v1/batches/:id', async ({ params, caller }) => {
    const batch = await batches.findOwned(caller.keyId, params.id);
    if (batch === null) throw noSuchBatch(params.id);
    return toBatchObject(batch);
  });

  app.post<IdParams>('/v1/batches/:id/cancel', async ({ params, caller }) => {
    const found = await batches.findOwned(caller.keyId, params.id);
    if (found === null) throw noSuchBatch(params.id);
    const batch =
      (await batches.transition(found._id, 'cancelling', clock.now())) ??
      (await batches.findOwned(caller.keyId, found._id)) ??
      found;
    // A repeat while it is cancelling says the same again: the first answer, or the signal below, may have been lost.
    if (batch.status !== 'cancelling') {
      throw new ApiError('conflict', `Cannot cancel a batch with status '${batch.status}'.`);
    }
    await deps.cancelBatch(batch._id);
    return toBatchObject(batch);
  });
}

function noSuchBatch(batchId: string): ApiError {
  return new ApiError('not_found', `No batch found with id '${batchId}'.`, { param: 'id' });
}

/** The batch is stored and will run, so a client that tries again by itself would pay for it twice. */
function notStarted(reply: FastifyReply, batchId: string, cause: unknown): ApiError {
  reply.header('x-should-retry', 'false');
  return new ApiError(
    'server_is_overloaded',
    `Batch ${batchId} is stored, but could not be started yet. It will start by itself: do not send it again.`,
    { cause },
  );
}
