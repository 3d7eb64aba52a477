import type { Db, UpdateFilter } from 'mongodb';
import { batchStatesBefore, TERMINAL_BATCH_STATES, type BatchStatus } from '../core/contracts/batch.ts';
import type { TokenUsage } from '../core/lane-port.ts';
import type { BatchFacts } from '../core/wire/batch-object.ts';
import { pageFilter, pageSort, toPage, type Page, type PagePlace, type PageRequest } from './paging.ts';

export interface BatchDoc extends BatchFacts {
  /** Public id of the key that owns it. */
  readonly ownerId: string;
  readonly outputExpiresAfterSeconds: number | null;
  /** Chunks of lines, known after validation. */
  readonly chunks: number;
  /** Second results of a line that has one already. */
  readonly duplicatesDropped: number;
}

/** What a change of state may bring with it. The time of the change is set by the change itself. */
export type BatchPatch = Partial<
  Pick<BatchDoc, 'errors' | 'counts' | 'usage' | 'model' | 'chunks' | 'outputFileId' | 'errorFileId'>
>;

/** What new results add to a batch. */
export interface BatchIncrement {
  readonly completed: number;
  readonly failed: number;
  readonly duplicates: number;
  readonly usage: TokenUsage;
}

export const NO_USAGE: TokenUsage = { promptTokens: 0, cachedPromptTokens: 0, completionTokens: 0, reasoningTokens: 0 };

/** Tokens added up; an unknown usage adds nothing. */
export function addUsage(sum: TokenUsage, usage: TokenUsage | null): TokenUsage {
  if (usage === null) return sum;
  return {
    promptTokens: sum.promptTokens + usage.promptTokens,
    cachedPromptTokens: sum.cachedPromptTokens + usage.cachedPromptTokens,
    completionTokens: sum.completionTokens + usage.completionTokens,
    reasoningTokens: sum.reasoningTokens + usage.reasoningTokens,
  };
}

/** Which time a state stands for. */
const TIME_OF = {
  failed: 'failedAt',
  in_progress: 'inProgressAt',
  finalizing: 'finalizingAt',
  completed: 'completedAt',
  expired: 'expiredAt',
  cancelling: 'cancellingAt',
  cancelled: 'cancelledAt',
} as const satisfies Record<Exclude<BatchStatus, 'validating'>, keyof BatchDoc>;

/** A batch as it begins. */
export function newBatch(
  given: Pick<
    BatchDoc,
    | '_id'
    | 'ownerId'
    | 'endpoint'
    | 'inputFileId'
    | 'completionWindow'
    | 'createdAt'
    | 'expiresAt'
    | 'metadata'
    | 'outputExpiresAfterSeconds'
  >,
): BatchDoc {
  return {
    ...given,
    status: 'validating',
    model: null,
    errors: null,
    outputFileId: null,
    errorFileId: null,
    inProgressAt: null,
    finalizingAt: null,
    completedAt: null,
    failedAt: null,
    expiredAt: null,
    cancellingAt: null,
    cancelledAt: null,
    counts: { total: 0, completed: 0, failed: 0 },
    usage: NO_USAGE,
    chunks: 0,
    duplicatesDropped: 0,
  };
}

/** Batches. Indexes: `_id`; `ownerId, createdAt, _id` for lists; `inputFileId, status`; `status, createdAt` for the sweep. */
export function createBatchStore(db: Db) {
  const batches = db.collection<BatchDoc>('batches');
  return {
    async ensureIndexes() {
      await batches.createIndex({ ownerId: 1, createdAt: -1, _id: -1 });
      await batches.createIndex({ inputFileId: 1, status: 1 });
      await batches.createIndex({ status: 1, createdAt: 1 });
    },
    insert: async (batch: BatchDoc) => void (await batches.insertOne(batch)),
    find: (batchId: string): Promise<BatchDoc | null> => batches.findOne({ _id: batchId }),
    findOwned: (ownerId: string, batchId: string): Promise<BatchDoc | null> =>
      batches.findOne({ _id: batchId, ownerId }),
    findPlace: (ownerId: string, batchId: string): Promise<PagePlace | null> =>
      batches.findOne({ _id: batchId, ownerId }, { projection: { createdAt: 1 } }),

    /** Newest first, as OpenAI lists them. */
    async list(ownerId: string, page: Omit<PageRequest, 'order'>): Promise<Page<BatchDoc>> {
      const found = await batches
        .find({ ownerId, ...pageFilter<BatchDoc>({ ...page, order: 'desc' }) })
        .sort(pageSort('desc'))
        .limit(page.limit + 1)
        .toArray();
      return toPage(found, page.limit);
    },

    /** True while a batch that is not over works on this file. */
    isInputInUse: async (fileId: string): Promise<boolean> =>
      (await batches.findOne(
        { inputFileId: fileId, status: { $nin: [...TERMINAL_BATCH_STATES] } },
        { projection: { _id: 1 } },
      )) !== null,

    /**
     * Batches in one of the states, oldest first, that were made before a time: for the sweep that restarts what was lost.
     * @param after the last batch of the page before
     */
    listInStates: (
      states: readonly BatchStatus[],
      createdBefore: number,
      limit: number,
      after: PagePlace | null = null,
    ): Promise<BatchDoc[]> =>
      batches
        .find({
          status: { $in: [...states] },
          createdAt: { $lt: createdBefore },
          ...pageFilter<BatchDoc>({ limit, order: 'asc', after }),
        })
        .sort(pageSort('asc'))
        .limit(limit)
        .toArray(),

    /**
     * The one function that changes a batch's state: a conditional update on the states it may come from, which sets the
     * time of the change and the patch in the same step. Returns the batch as it is after, or null when it was in a
     * state from which there is no way.
     * @param seen what the patch was worked out from; the change is refused if it is not so any more.
     */
    transition(
      batchId: string,
      to: Exclude<BatchStatus, 'validating'>,
      at: number,
      patch: BatchPatch = {},
      seen: Partial<Pick<BatchDoc, 'status' | 'chunks'>> = {},
    ): Promise<BatchDoc | null> {
      const from = batchStatesBefore(to).filter((status) => seen.status === undefined || seen.status === status);
      const chunks = seen.chunks === undefined ? {} : { chunks: seen.chunks };
      const set = { ...patch, status: to, [TIME_OF[to]]: at } as UpdateFilter<BatchDoc>['$set'] & object;
      return batches.findOneAndUpdate(
        { _id: batchId, status: { $in: from }, ...chunks },
        { $set: set },
        { returnDocument: 'after' },
      );
    },

    /** Adds what results were stored. Only a running count: the end of the batch counts the results themselves. */
    addCounts: async (batchId: string, add: BatchIncrement): Promise<void> =>
      void (await batches.updateOne(
        { _id: batchId, status: { $nin: [...TERMINAL_BATCH_STATES] } },
        {
          $inc: {
            'counts.completed': add.completed,
            'counts.failed': add.failed,
            duplicatesDropped: add.duplicates,
            'usage.promptTokens': add.usage.promptTokens,
            'usage.cachedPromptTokens': add.usage.cachedPromptTokens,
            'usage.completionTokens': add.usage.completionTokens,
            'usage.reasoningTokens': add.usage.reasoningTokens,
          },
        },
      )),
  };
}

export type BatchStore = ReturnType<typeof createBatchStore>;
