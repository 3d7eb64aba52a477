import type { Db } from 'mongodb';
import type { AttemptRecord } from '../core/contracts/failure.ts';
import type { TokenUsage } from '../core/lane-port.ts';
import { isDuplicateKey } from './database.ts';

/** One entry a request or line: who asked, what was tried, who served it, what it cost. No prompt and no answer. */
export interface LaneLogDoc {
  /** The request id, or the line's key. */
  readonly _id: string;
  readonly kind: 'request' | 'line';
  readonly keyId: string;
  readonly batchId: string | null;
  readonly model: string;
  readonly status: 'answered' | 'failed';
  readonly httpStatus: number | null;
  /** The lane that served it; null when none did. */
  readonly laneId: string | null;
  readonly laneAlias: string | null;
  readonly attempts: readonly AttemptRecord[];
  readonly usage: TokenUsage | null;
  /** Millionths of a dollar paid, and what the meter would have taken; null where unknown. */
  readonly costMicros: number | null;
  readonly meterMicros: number | null;
  readonly at: number;
}

export type AnswerFacts = Pick<LaneLogDoc, 'model' | 'laneId' | 'usage' | 'attempts'>;

export interface LaneTotals {
  readonly laneId: string | null;
  readonly entries: number;
  readonly costMicros: number;
  readonly meterMicros: number;
  /** Entries whose cost on the meter is unknown, and so not in the sum. */
  readonly unmetered: number;
}

/** Entries that one command removes. */
const REMOVED_AT_A_TIME = 1_000;

/** Which entries are wanted; those of a lane are those that it served. */
export interface LaneLogFilter {
  readonly id?: string;
  readonly keyId?: string;
  readonly batchId?: string;
  readonly laneId?: string;
  /** Unix milliseconds. */
  readonly before?: number;
  readonly limit: number;
}

/**
 * The lane log. Indexes: `_id`; `at` for reading it newest first; `batchId` for one batch; `laneId, at` for what a lane served, which
 * plans look at; `keyId, at` for what a key's answers took. The embedded server inserts 500 entries as fast with the last two as without.
 */
export function createLaneLogStore(db: Db) {
  const log = db.collection<LaneLogDoc>('lane_log');
  return {
    ensureIndexes: async () => {
      await log.createIndex({ at: 1 });
      await log.createIndex({ batchId: 1 });
      await log.createIndex({ laneId: 1, at: -1 });
      await log.createIndex({ keyId: 1, at: -1 });
    },

    /** Writes entries; those that are there already stay as they are. */
    async insertMissing(entries: readonly LaneLogDoc[]): Promise<void> {
      if (entries.length === 0) return;
      try {
        await log.insertMany([...entries], { ordered: false });
      } catch (error) {
        if (!isDuplicateKey(error)) throw error;
      }
    },

    /** Removes entries from before a time, by the index on `at`, a page at a time. Returns how many. */
    async removeBefore(before: number, limit: number, onPage: () => void = () => undefined): Promise<number> {
      let removed = 0;
      while (removed < limit) {
        const page = await log
          .find({ at: { $lt: before } }, { projection: { _id: 1 } })
          .limit(Math.min(REMOVED_AT_A_TIME, limit - removed))
          .toArray();
        if (page.length === 0) break;
        const { deletedCount } = await log.deleteMany({ _id: { $in: page.map(({ _id }) => _id) } });
        // Another worker was quicker: it goes on.
        if (deletedCount === 0) break;
        removed += deletedCount;
        onPage();
      }
      return removed;
    },

    find: (id: string) => log.findOne({ _id: id }),

    /** Those of these entries that are there. */
    async whichExist(ids: readonly string[]): Promise<ReadonlySet<string>> {
      const found = await log.find({ _id: { $in: [...ids] } }, { projection: { _id: 1 } }).toArray();
      return new Set(found.map(({ _id }) => _id));
    },

    list({ id, keyId, batchId, laneId, before, limit }: LaneLogFilter): Promise<LaneLogDoc[]> {
      return log
        .find({
          ...(id === undefined ? {} : { _id: id }),
          ...(keyId === undefined ? {} : { keyId }),
          ...(batchId === undefined ? {} : { batchId }),
          ...(laneId === undefined ? {} : { laneId }),
          ...(before === undefined ? {} : { at: { $lt: before } }),
        })
        .sort({ at: -1 })
        .limit(limit)
        .toArray();
    },

    /** What a key's answers took, newest first: for estimates of what comes. @param since Unix milliseconds */
    answersOf: (keyId: string, since: number, limit: number): Promise<AnswerFacts[]> =>
      log
        .find({ keyId, status: 'answered', at: { $gte: since } })
        .project<AnswerFacts>({ model: 1, laneId: 1, usage: 1, attempts: 1 })
        .sort({ at: -1 })
        .limit(limit)
        .toArray(),

    /** What a lane has served, newest first: for the worth of its windows. @param since Unix milliseconds */
    servedBy: (laneId: string, since: number, limit: number): Promise<Pick<LaneLogDoc, 'at' | 'meterMicros'>[]> =>
      log
        .find({ laneId, status: 'answered', at: { $gte: since } })
        .project<Pick<LaneLogDoc, 'at' | 'meterMicros'>>({ at: 1, meterMicros: 1 })
        .sort({ at: -1 })
        .limit(limit)
        .toArray(),

    /** Lines and cost by lane of one batch. */
    async totalsOfBatch(batchId: string): Promise<LaneTotals[]> {
      const known = (field: string) => ({ $sum: { $cond: [{ $gt: [`$${field}`, 0] }, `$${field}`, 0] } });
      const rows = await log
        .aggregate<{ _id: string | null; entries: number; costMicros: number; meterMicros: number; metered: number }>([
          { $match: { batchId } },
          {
            $group: {
              _id: '$laneId',
              entries: { $sum: 1 },
              costMicros: known('costMicros'),
              meterMicros: known('meterMicros'),
              metered: { $sum: { $cond: [{ $gte: ['$meterMicros', 0] }, 1, 0] } },
            },
          },
          { $sort: { _id: 1 } },
        ])
        .toArray();
      return rows.map(({ _id, metered, ...sums }) => ({ laneId: _id, ...sums, unmetered: sums.entries - metered }));
    },
  };
}

export type LaneLogStore = ReturnType<typeof createLaneLogStore>;
