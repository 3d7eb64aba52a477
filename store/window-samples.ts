import type { Db } from 'mongodb';
import { isDuplicateKey } from './database.ts';

/** How much of a plan's window was used at a time. */
export interface WindowSampleDoc {
  /** Lane, window and time: the same sample twice is one. */
  readonly _id: string;
  readonly laneId: string;
  /** As in the lane's windows: five_hours, week, other. */
  readonly window: string;
  readonly usedPercent: number;
  /** Unix milliseconds. */
  readonly resetsAt: number | null;
  readonly at: number;
  /** For the TTL index, which wants a date. */
  readonly expireAt: Date;
}

/** A season: long enough for the calculator's averages, and a few thousand small documents an account. */
export const KEEP_WINDOW_SAMPLES_MS = 90 * 24 * 3_600_000;

/** History of the plans' windows. Indexes: `laneId, at` for reading it newest first; `expireAt`, as a TTL where there is one. */
export function createWindowSampleStore(db: Db) {
  const samples = db.collection<WindowSampleDoc>('window_samples');
  return {
    ensureIndexes: async () => {
      await samples.createIndex({ laneId: 1, at: 1 });
      await samples.createIndex({ expireAt: 1 }, { expireAfterSeconds: 0 });
    },

    /** Keeps samples; those that are there already stay as they are. */
    async add(taken: readonly Omit<WindowSampleDoc, '_id' | 'expireAt'>[]): Promise<void> {
      if (taken.length === 0) return;
      const docs = taken.map((sample) => ({
        ...sample,
        _id: `${sample.laneId}:${sample.window}:${sample.at}`,
        expireAt: new Date(sample.at + KEEP_WINDOW_SAMPLES_MS),
      }));
      try {
        await samples.insertMany(docs, { ordered: false });
      } catch (error) {
        if (!isDuplicateKey(error)) throw error;
      }
    },

    /** Newest first. @param since, before Unix milliseconds: from `since` on, and earlier than `before` */
    list({ laneId, since, before, limit }: { laneId: string; since?: number; before?: number; limit: number }) {
      const range = {
        ...(since === undefined ? {} : { $gte: since }),
        ...(before === undefined ? {} : { $lt: before }),
      };
      return samples
        .find({ laneId, ...(Object.keys(range).length === 0 ? {} : { at: range }) })
        .sort({ at: -1 })
        .limit(limit)
        .toArray();
    },

    removeExpired: async (now: number) => (await samples.deleteMany({ expireAt: { $lt: new Date(now) } })).deletedCount,
    removeOf: async (laneId: string) => void (await samples.deleteMany({ laneId })),
  };
}

export type WindowSampleStore = ReturnType<typeof createWindowSampleStore>;
