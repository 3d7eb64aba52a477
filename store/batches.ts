import type { Db, UpdateFilter } from 'mongodb';
import { batchStatesBefore, TERMINAL_BATCH_STATES, type BatchStatus } from '../core/contracts/batch.ts';
import { DEFAULT_CONTROL, type BatchControl } from '../core/contracts/batch-control.ts';
import { newSpend, type BatchSpend } from '../core/contracts/batch-spend.ts';
import type { ProviderRun } from '../core/contracts/provider-run.ts';
import type { TokenUsage } from '../core/lane-port.ts';
import { NO_USAGE } from '../core/token-usage.ts';
import type { BatchFacts } from '../core/wire/batch-object.ts';
import type { PaceSample } from '../core/wire/batch-progress.ts';
import { tallyIncrements, type LaneTallies } from './lane-tallies.ts';
import { isDuplicateKey } from './database.ts';
import { pageFilter, pageSort, toPage, type Page, type PagePlace, type PageRequest } from './paging.ts';

export interface BatchDoc extends BatchFacts {
  /** Public id of the key that owns it. */
  readonly ownerId: string;
  readonly outputExpiresAfterSeconds: number | null;
  /** Chunks of lines, known after validation. */
  readonly chunks: number;
  /** Second results of a line that has one already. */
  readonly duplicatesDropped: number;
  /** How its owner wants it to run. */
  readonly control: BatchControl;
  /** What it may cost, and what of it is taken. */
  readonly spend: BatchSpend;
  /** How often its control or its limit was changed, and up to which change its workflow was told; absent when none was. */
  readonly controlChanges?: number;
  readonly controlTold?: number;
  /** Until when its lines wait, as it was planned last; null when they don't. */
  readonly waiting: BatchWait | null;
  /** Running counts by lane, of which the end of the batch makes exact ones; absent in batches of earlier versions. */
  readonly byLane?: LaneTallies;
  /** How many lines were done when, the last of it only. */
  readonly pace?: readonly PaceSample[];
  /** The batch whose lines without an answer it repeats; null or absent when it repeats none. */
  readonly retryOf?: string | null;
  /** Of which ends of a line it repeats those lines, and what was asked for: a repeat of the same request is known by it. */
  readonly retry?: { readonly only: readonly string[]; readonly request: string } | null;
  /** Set by its end, until those who are to hear of it will; absent before, after, and in batches of earlier versions. */
  readonly announce?: 'due';
  /** Absent while the results of its lines are kept; `removing` when they are not to be read any more. */
  readonly results?: 'removing' | 'removed';
  /** The lanes that its lines may use; null or absent for all that their route says. */
  readonly onlyLanes?: readonly string[] | null;
  /** What makes lines of its file's rows; null or absent where the file holds lines. */
  readonly template?: StoredTemplate | null;
  /** Its newest run at a provider's Batch API; absent when it had none. */
  readonly providerRun?: ProviderRun;
}

/** Why lines of a batch wait, and until when as far as it is known. */
export interface BatchWait {
  /** Unix milliseconds. */
  readonly until: number;
  readonly why: string;
}

/** A template with the place of what was made of it. */
export interface StoredTemplate {
  /** JSON text: names that a caller chose must not become names of fields here. */
  readonly text: string;
  readonly delimiter: string | null;
  /** Under which the lines that were made of the rows are stored; null until they are. */
  readonly bodyId: string | null;
}

/** What a change of state may bring with it. The time of the change is set by the change itself. */
export type BatchPatch = Partial<
  Pick<BatchDoc, 'errors' | 'counts' | 'byLane' | 'usage' | 'model' | 'chunks' | 'outputFileId' | 'errorFileId'>
>;

/** What new results add to a batch. */
export interface BatchIncrement {
  readonly completed: number;
  readonly failed: number;
  readonly duplicates: number;
  readonly usage: TokenUsage;
  readonly byLane: LaneTallies;
  /** What is noted of the pace, now and then. */
  readonly pace?: PaceSample;
}

/** Samples of the pace that are kept: a minute of them with up to eight workers that note one every five seconds. */
const PACE_SAMPLES = 96;

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
  > &
    Partial<Pick<BatchDoc, 'control' | 'spend'>>,
): BatchDoc {
  return {
    control: DEFAULT_CONTROL,
    spend: newSpend(null),
    waiting: null,
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
    byLane: {},
    pace: [],
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
    /** Stores a batch. Returns the one that stands under its id: another one where a repeat of its create was first. */
    async insert(batch: BatchDoc): Promise<BatchDoc> {
      try {
        await batches.insertOne(batch);
        return batch;
      } catch (error) {
        const found = isDuplicateKey(error) ? await batches.findOne({ _id: batch._id, ownerId: batch.ownerId }) : null;
        if (found === null) throw error;
        return found;
      }
    },
    find: (batchId: string): Promise<BatchDoc | null> => batches.findOne({ _id: batchId }),
    findOwned: (ownerId: string, batchId: string): Promise<BatchDoc | null> =>
      batches.findOne({ _id: batchId, ownerId }),
    findPlace: (ownerId: string, batchId: string): Promise<PagePlace | null> =>
      batches.findOne({ _id: batchId, ownerId }, { projection: { createdAt: 1 } }),

    /** Newest first, as OpenAI lists them. */
    async list(ownerId: string, page: Omit<PageRequest, 'order'>): Promise<Page<BatchDoc>> {
      const found = await batches
        // A template may be long, and no list shows it.
        .find({ ownerId, ...pageFilter<BatchDoc>({ ...page, order: 'desc' }) }, { projection: { 'template.text': 0 } })
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

    /** Batches that have made lines of the rows of this file. */
    listWithLines: (fileId: string): Promise<{ readonly template: Pick<StoredTemplate, 'bodyId'> }[]> =>
      batches
        .find({ inputFileId: fileId, 'template.bodyId': { $ne: null } })
        .project<{ readonly template: Pick<StoredTemplate, 'bodyId'> }>({ 'template.bodyId': 1 })
        .toArray(),

    /** Batches that are over and whose results are not removed yet, oldest first, after the given one. */
    listOver: (after: PagePlace | null, limit: number): Promise<BatchDoc[]> =>
      batches
        .find({
          status: { $in: [...TERMINAL_BATCH_STATES] },
          results: { $ne: 'removed' },
          ...pageFilter<BatchDoc>({ limit, order: 'asc', after }),
        })
        .sort(pageSort('asc'))
        .limit(limit)
        .toArray(),

    /** Notes that the results of a batch that is over go, or are gone. */
    markResults: async (batchId: string, state: 'removing' | 'removed'): Promise<void> =>
      void (await batches.updateOne({ _id: batchId }, { $set: { results: state } })),

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

    /** Batches of a key that a cancel can end early, oldest first. @param after the last batch of the page before */
    listCancellable: (ownerId: string, limit: number, after: PagePlace | null = null): Promise<BatchDoc[]> =>
      batches
        .find({
          ownerId,
          status: { $in: [...batchStatesBefore('cancelling')] },
          ...pageFilter<BatchDoc>({ limit, order: 'asc', after }),
        })
        .sort(pageSort('asc'))
        .limit(limit)
        .toArray(),

    /**
     * The one function that changes a batch's state: a conditional update on the states it may come from, which sets the
     * time of the change and the patch in the same step, and for an end that it is to be announced. Returns the batch as it is after,
     * or null when it was in a state from which there is no way.
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
      const announce = TERMINAL_BATCH_STATES.includes(to) ? { announce: 'due' } : {};
      const set = { ...patch, ...announce, status: to, [TIME_OF[to]]: at } as UpdateFilter<BatchDoc>['$set'] & object;
      return batches.findOneAndUpdate(
        { _id: batchId, status: { $in: from }, ...chunks },
        { $set: set },
        { returnDocument: 'after' },
      );
    },

    /**
     * Notes where the lines are that were made of the rows, if nothing is noted and the batch is still looked at. Returns what
     * is noted then, of whichever try it is; null when the batch is past that.
     */
    async keepLines(batchId: string, bodyId: string): Promise<string | null> {
      await batches.updateOne(
        { _id: batchId, status: 'validating', 'template.bodyId': null },
        { $set: { 'template.bodyId': bodyId } },
      );
      return (await batches.findOne({ _id: batchId }, { projection: { template: 1 } }))?.template?.bodyId ?? null;
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
            ...tallyIncrements('byLane', add.byLane),
          },
          ...(add.pace === undefined ? {} : { $push: { pace: { $each: [add.pace], $slice: -PACE_SAMPLES } } }),
        },
      )),
  };
}

export type BatchStore = ReturnType<typeof createBatchStore>;
