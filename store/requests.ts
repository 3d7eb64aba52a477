import type { Db } from 'mongodb';
import type { ReplyAddress } from '../core/reply.ts';

/** A completion that is under way, and its answer: the claim check that keeps bodies out of workflow histories. */
export interface RequestDoc {
  readonly _id: string;
  readonly keyId: string;
  readonly model: string;
  /** The caller's body as JSON text. */
  readonly body: string;
  readonly stream: boolean;
  readonly replyTo: ReplyAddress | null;
  readonly createdAt: number;
  /** Unix milliseconds after which housekeeping removes body and answer. */
  readonly expireAt: number;
  readonly result: RequestResult | null;
}

export interface RequestResult {
  readonly status: number;
  /** JSON text: the completion, or the error body. */
  readonly body: string;
  readonly laneId: string | null;
  readonly at: number;
}

/** Requests. Indexes: `_id`, `expireAt`. */
export function createRequestStore(db: Db) {
  const requests = db.collection<RequestDoc>('requests');
  return {
    ensureIndexes: async () => void (await requests.createIndex({ expireAt: 1 })),
    insert: async (request: RequestDoc) => void (await requests.insertOne(request)),
    find: (requestId: string) => requests.findOne({ _id: requestId }),
    /** Stores the result if there is none yet; false when another attempt was first, and then its result stands. */
    storeResult: async (requestId: string, result: RequestResult) =>
      (await requests.updateOne({ _id: requestId, result: null }, { $set: { result } })).modifiedCount === 1,
    removeExpired: async (now: number) => (await requests.deleteMany({ expireAt: { $lt: now } })).deletedCount,
  };
}

export type RequestStore = ReturnType<typeof createRequestStore>;
