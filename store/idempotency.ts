import type { Db } from 'mongodb';
import { isDuplicateKey } from './database.ts';

/** An answer as it is repeated. */
export interface KeptAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON text. */
  readonly body: string;
}

/** One idempotency key of one caller on one path: what was asked, what is being made of it, and how it was answered. */
export interface IdempotencyDoc {
  /** The caller's key id and a hash of method, path and key: the caller's own words are not kept. */
  readonly _id: string;
  /** SHA-256 of what was asked, as hex; null for an upload that was not read to its end yet. */
  readonly bodyHash: string | null;
  /** Id of the request, batch or file, chosen before the work: whoever goes on with it makes the same one. */
  readonly workId: string;
  /** Who is at it: another value after each change of hands. */
  readonly holder: string;
  /** Unix milliseconds until which the holder is taken as alive; 0 once it has given up. */
  readonly leaseUntil: number;
  /** Null while there is none, and where the answer is kept elsewhere under `workId`. */
  readonly answer: KeptAnswer | null;
  /** Unix milliseconds after which the key means nothing any more. */
  readonly expireAt: number;
}

/** Removals at a time: one round trip each. */
const SIDE_BY_SIDE = 20;

/**
 * Idempotency keys, one document each. The unique `_id` is the claim; hands change by conditional updates on `holder`. Indexes: `_id`,
 * `expireAt` for housekeeping.
 */
export function createIdempotencyStore(db: Db) {
  const claims = db.collection<IdempotencyDoc>('idempotency');
  return {
    ensureIndexes: async () => void (await claims.createIndex({ expireAt: 1 })),

    find: (id: string): Promise<IdempotencyDoc | null> => claims.findOne({ _id: id }),

    /** Claims a key, or finds who did before. Of many at a time exactly one gets its own document back, by its `holder`. */
    async claim(wanted: IdempotencyDoc): Promise<IdempotencyDoc> {
      for (;;) {
        try {
          await claims.insertOne(wanted);
          return wanted;
        } catch (error) {
          if (!isDuplicateKey(error)) throw error;
          // Its own, where the acknowledgement was lost and the driver has sent it again; none, where it was just removed.
          const found = await claims.findOne({ _id: wanted._id });
          if (found !== null) return found;
        }
      }
    },

    /** Takes a claim out of the hands in which it was seen; null when it has changed hands meanwhile. */
    takeOver: (
      seen: Pick<IdempotencyDoc, '_id' | 'holder'>,
      change: Partial<Omit<IdempotencyDoc, '_id'>> & Pick<IdempotencyDoc, 'holder' | 'leaseUntil'>,
    ): Promise<IdempotencyDoc | null> =>
      claims.findOneAndUpdate({ _id: seen._id, holder: seen.holder }, { $set: change }, { returnDocument: 'after' }),

    /** Says until when the holder is alive, 0 for a holder that gives up. No effect in other hands. */
    setLease: async (id: string, holder: string, leaseUntil: number): Promise<void> =>
      void (await claims.updateOne({ _id: id, holder }, { $set: { leaseUntil } })),

    /** Writes down what was asked, once it is known. False when another body is there already: the key is that one's. */
    async learnBody(id: string, workId: string, bodyHash: string): Promise<boolean> {
      await claims.updateOne({ _id: id, workId, bodyHash: null }, { $set: { bodyHash } });
      return (await claims.findOne({ _id: id, workId, bodyHash }, { projection: { _id: 1 } })) !== null;
    },

    /** Keeps the first answer; a second one is dropped. */
    finish: async (id: string, workId: string, answer: KeptAnswer): Promise<void> =>
      void (await claims.updateOne({ _id: id, workId, answer: null }, { $set: { answer } })),

    /**
     * Removes keys that are past their end, at most `limit` at a time. Each only if it still is: a key that was used anew
     * meanwhile stays.
     */
    async removeExpired(now: number, limit: number, checkIn: () => void = () => undefined): Promise<number> {
      const found = await claims
        .find({ expireAt: { $lt: now } }, { projection: { expireAt: 1 } })
        .limit(limit)
        .toArray();
      let removed = 0;
      for (let at = 0; at < found.length; at += SIDE_BY_SIDE) {
        checkIn();
        const results = await Promise.all(
          found.slice(at, at + SIDE_BY_SIDE).map(({ _id, expireAt }) => claims.deleteOne({ _id, expireAt })),
        );
        removed += results.reduce((sum, { deletedCount }) => sum + deletedCount, 0);
      }
      return removed;
    },
  };
}

export type IdempotencyStore = ReturnType<typeof createIdempotencyStore>;
