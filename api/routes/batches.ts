import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../core/clock.ts';
import { newSpend } from '../../core/contracts/batch-spend.ts';
import { ApiError } from '../../core/errors.ts';
import { newBatchId } from '../../core/ids.ts';
import { readBatchCreate, type BatchCreate } from '../../core/wire/batch-create.ts';
import { toBatchObject, type BatchObject } from '../../core/wire/batch-object.ts';
import { isCsvName } from '../../core/wire/file-name.ts';
import { readListQuery, toListPage } from '../../core/wire/list-page.ts';
import { newBatch, type BatchDoc, type BatchStore } from '../../store/batches.ts';
import type { FileStore } from '../../store/files.ts';
import type { IdempotencyStore } from '../../store/idempotency.ts';
import { cancelStoredBatch } from '../batches/cancel-batch.ts';
import { noSuchBatch } from '../batches/no-such-batch.ts';
import { notStarted } from '../batches/not-started.ts';
import { storeBatch } from '../batches/store-batch.ts';
import { createAnswerOnce } from '../idempotency/answer-once.ts';
import { createClaims } from '../idempotency/claims.ts';

export interface BatchRouteDeps {
  readonly files: FileStore;
  readonly batches: BatchStore;
  readonly idempotency: IdempotencyStore;
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
  const answerOnce = createAnswerOnce(createClaims(deps));

  /** A file that is not found is no error here: the batch fails of it, as at OpenAI. */
  const checkFile = async (ownerId: string, { inputFileId, template }: BatchCreate): Promise<void> => {
    const file = await files.findOwned(ownerId, inputFileId, clock.now());
    if (file === null) return;
    if (file.purpose !== 'batch') {
      throw new ApiError('invalid_value', "Invalid 'input_file_id': the purpose of the file must be 'batch'.", {
        param: 'input_file_id',
      });
    }
    if (template === null && isCsvName(file.filename)) {
      throw new ApiError(
        'missing_required_parameter',
        "Missing required parameter: 'template'. The file is CSV, and a template says what request each row makes.",
        { param: 'template' },
      );
    }
  };

  const makeBatch = async (batchId: string, ownerId: string, create: BatchCreate): Promise<BatchDoc> => {
    await checkFile(ownerId, create);
    const createdAt = clock.now();
    return {
      ...newBatch({
        _id: batchId,
        ownerId,
        endpoint: create.endpoint,
        inputFileId: create.inputFileId,
        completionWindow: create.completionWindow,
        createdAt,
        expiresAt: createdAt + create.windowMs,
        metadata: create.metadata,
        outputExpiresAfterSeconds: create.outputExpiresAfterSeconds,
        control: create.wishes.control,
        spend: newSpend(create.wishes.maxMicros),
      }),
      template: create.template === null ? null : { ...create.template, bodyId: null },
    };
  };

  /** With an idempotency key a repeat finds what is stored, acknowledged or not. */
  const storeNew = (batch: BatchDoc, isKeyed: boolean): Promise<BatchDoc> =>
    isKeyed ? batches.insert(batch) : storeBatch(batches, batch);

  app.post('/v1/batches', async (request, reply) => {
    const { body, caller, log } = request;
    const create = readBatchCreate(body);
    return answerOnce(request, reply, newBatchId, async (batchId, isKeyed): Promise<BatchObject> => {
      // One that a repeat finds was stored by a process that did not live to say so.
      const found = isKeyed ? await batches.findOwned(caller.keyId, batchId) : null;
      const batch = found ?? (await storeNew(await makeBatch(batchId, caller.keyId, create), isKeyed));
      try {
        if (batch.status === 'validating') await deps.startBatch(batch);
      } catch (cause) {
        log.error({ err: cause, batchId }, 'a batch could not be started; the sweep will start it');
        throw isKeyed ? startLater(batchId, cause) : notStarted(reply, batchId, cause);
      }
      // As it was when it was made, whoever asks and when.
      return toBatchObject(newBatch(batch));
    });
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

  app.post<IdParams>('/v1/batches/:id/cancel', async ({ params, caller, log }) => {
    const found = await batches.findOwned(caller.keyId, params.id);
    if (found === null) throw noSuchBatch(params.id);
    return toBatchObject(await cancelStoredBatch({ ...deps, log }, found));
  });
}

/** With an idempotency key a repeat is harmless, and gets the batch. */
function startLater(batchId: string, cause: unknown): ApiError {
  return new ApiError(
    'server_is_overloaded',
    `Batch ${batchId} is stored, but could not be started yet. It will start by itself.`,
    { retryAfterMs: 1_000, cause },
  );
}
