import type { Clock } from '../../core/clock.ts';
import type { BatchStatus } from '../../core/contracts/batch.ts';
import { newSpend } from '../../core/contracts/batch-spend.ts';
import { ApiError } from '../../core/errors.ts';
import { newFileId } from '../../core/ids.ts';
import { readBatchCreate } from '../../core/wire/batch-create.ts';
import { RETRY_REASONS, type BatchRetryRequest, type RetryReason } from '../../core/wire/batch-retry.ts';
import { DEFAULT_FILE_LIFE_SECONDS } from '../../core/wire/file-object.ts';
import type { BatchResultStore } from '../../store/batch-results.ts';
import { newBatch, type BatchDoc, type BatchStore } from '../../store/batches.ts';
import type { FileStore } from '../../store/files.ts';
import type { LaneStore } from '../../store/lanes.ts';
import type { Caller } from '../plugins/authenticate.ts';
import { findRetryPlace } from './earlier-retries.ts';
import { nothingToRetry, rowsToRetry } from './rows-to-retry.ts';

export interface RetryBatchDeps {
  readonly files: FileStore;
  readonly batches: BatchStore;
  readonly results: Pick<BatchResultStore, 'ends'>;
  readonly lanes: Pick<LaneStore, 'list'>;
  readonly clock: Clock;
}

/** Which lines a batch in this state can have without an answer; none while it runs, or when nothing of it ever ran. */
const RETRYABLE: Partial<Record<BatchStatus, readonly RetryReason[]>> = {
  completed: ['failed'],
  expired: ['failed', 'expired'],
  cancelled: ['failed', 'cancelled'],
};

/** Others who retry the same batch at the same moment; each comes first once at most. */
const TRIES = 4;

/**
 * Makes a new batch of the lines of one that is over that have no answer. Its input is a file of its own with the same rows.
 * A repeat of a request while its batch runs gets that batch. The batch is stored, and not started yet.
 * @throws ApiError when there is nothing to retry, or it can't be done (any more)
 */
export function createRetryBatch(deps: RetryBatchDeps) {
  const { files, batches, clock } = deps;

  const writeFile = async (fileId: string, source: BatchDoc, only: ReadonlySet<RetryReason>): Promise<void> => {
    const bodyId = await findRows(deps, source);
    const rows = rowsToRetry(deps, { batchId: source._id, bodyId, total: source.counts.total, only });
    const written = await files.bytes.write(fileId, rows);
    const createdAt = clock.now();
    await files.insertOnce({
      _id: fileId,
      ownerId: source.ownerId,
      ...written,
      createdAt,
      expiresAt: createdAt + DEFAULT_FILE_LIFE_SECONDS * 1000,
      filename: `${source._id}_retry.jsonl`,
      purpose: 'batch',
      status: 'processed',
      deletedAt: null,
      bodyId: fileId,
      bytesRemoved: false,
      batchId: null,
    });
  };

  /** What is stored and not acknowledged is found here. Where nobody can say, the file stays: the batch may need it. */
  const discardUnlessUsed = async (fileId: string, batchId: string): Promise<void> => {
    if ((await batches.find(batchId))?.inputFileId !== fileId) await files.discard(fileId);
  };

  return async function retryBatch(caller: Caller, source: BatchDoc, asked: BatchRetryRequest): Promise<BatchDoc> {
    const only = reasonsOf(source, asked);
    const onlyLanes = asked.lanes === undefined ? null : await findLanes(deps, caller, asked.lanes);
    const begin = beginOf(source, asked);
    const request = JSON.stringify([[...only].sort(), onlyLanes, begin.completionWindow, begin.metadata]);
    for (let tries = 0; tries < TRIES; tries++) {
      const place = await findRetryPlace(batches, source._id, only, request);
      if ('repeated' in place) return place.repeated;
      const inputFileId = newFileId();
      const createdAt = clock.now();
      const { windowMs, ...rest } = begin;
      const batch: BatchDoc = {
        ...newBatch({
          ...rest,
          _id: place.nextId,
          ownerId: source.ownerId,
          inputFileId,
          createdAt,
          expiresAt: createdAt + windowMs,
        }),
        retryOf: source._id,
        retry: { only: [...only], request },
        onlyLanes,
      };
      try {
        await writeFile(inputFileId, source, only);
        const stored = await batches.insert(batch);
        if (stored.inputFileId === inputFileId) return stored;
      } catch (error) {
        await discardUnlessUsed(inputFileId, place.nextId).catch(() => undefined);
        throw error;
      }
      // Somebody else was first; what they have made is looked at anew.
      await files.discard(inputFileId);
    }
    throw new ApiError('server_is_overloaded', `Others retry batch ${source._id} at the same time. Try again.`, {
      retryAfterMs: 1_000,
    });
  };
}

function reasonsOf({ _id, status, counts }: BatchDoc, { only }: BatchRetryRequest): ReadonlySet<RetryReason> {
  const possible = RETRYABLE[status];
  if (possible === undefined) {
    const message =
      status === 'failed'
        ? `Batch ${_id} failed in its validation: none of its lines ran. Correct the file and create a new batch.`
        : `Cannot retry a batch with status '${status}': wait until it is over, or cancel it.`;
    throw new ApiError('conflict', message);
  }
  if (counts.total === 0) {
    const message = `Batch ${_id} was over before its file was read: none of its lines ran. Create a new batch of the file.`;
    throw new ApiError('conflict', message);
  }
  const wanted = new Set(possible.filter((reason) => (only ?? RETRY_REASONS).includes(reason)));
  if (wanted.size === 0 || counts.failed === 0) throw nothingToRetry(_id);
  return wanted;
}

/** How the new batch runs: as the old one did in the end, except for what is asked for anew. */
function beginOf(source: BatchDoc, { completion_window, metadata }: BatchRetryRequest) {
  const hasMetadata = metadata !== undefined && metadata !== null;
  const create = readBatchCreate({
    input_file_id: source.inputFileId,
    endpoint: source.endpoint,
    completion_window: completion_window ?? source.completionWindow,
    metadata: hasMetadata ? metadata : null,
  });
  const { control } = create.wishes;
  return {
    endpoint: create.endpoint,
    completionWindow: create.completionWindow,
    windowMs: create.windowMs,
    metadata: hasMetadata ? create.metadata : source.metadata,
    outputExpiresAfterSeconds: source.outputExpiresAfterSeconds,
    // The owner's word on metered spend stays, whatever else is new.
    control: hasMetadata
      ? { ...control, metered: source.control.metered }
      : { ...source.control, paused: control.paused },
    // So does its limit, unless another one is named: new labels must not open the purse.
    spend: newSpend(create.wishes.maxMicros ?? source.spend.maxMicros),
  };
}

async function findRows({ files, clock }: RetryBatchDeps, source: BatchDoc): Promise<string> {
  const file = await files.findOwned(source.ownerId, source.inputFileId, clock.now());
  const bodyId = source.template?.bodyId ?? file?.bodyId;
  if (file !== null && bodyId !== undefined && (await files.bytes.has(bodyId))) return bodyId;
  throw new ApiError(
    'conflict',
    `The input file ${source.inputFileId} of batch ${source._id} was deleted or has expired, so its rows are not there any more. Create a new batch.`,
  );
}

/** Ids of the lanes that are named. */
async function findLanes(
  { lanes }: RetryBatchDeps,
  caller: Caller,
  aliases: readonly string[],
): Promise<readonly string[]> {
  const known = await lanes.list();
  return [...new Set(aliases)].map((name) => {
    const lane = known.find(({ alias }) => alias === name) ?? known.find(({ _id }) => _id === name);
    if (lane === undefined) {
      throw new ApiError('invalid_value', `Invalid 'lanes': there is no lane '${name}'.`, { param: 'lanes' });
    }
    if (lane.kind === 'plan' && !caller.planLanes) {
      throw new ApiError('insufficient_permissions', `This key may not use the plan lane '${name}'.`, {
        param: 'lanes',
      });
    }
    return lane._id;
  });
}
