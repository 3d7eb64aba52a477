import type { Db } from 'mongodb';
import type { Operation } from '../core/lane-port.ts';
import type { ReplyAddress, ReplyMeta } from '../core/reply.ts';
import { isDuplicateKey } from './database.ts';

/** A completion that is under way, and its answer: the claim check that keeps bodies out of workflow histories. */
export interface RequestDoc {
  readonly _id: string;
  readonly keyId: string;
  readonly model: string;
  /** Which endpoint it came in by; `chat` where it is not there. */
  readonly operation?: Operation;
  /** The caller's body as JSON text; empty once there is a result, which needs the document's room. */
  readonly body: string;
  readonly stream: boolean;
  /** True where the work goes on when the caller goes away, because a repeat may ask for its answer. */
  readonly outlivesCaller?: boolean;
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
  /** For an error: milliseconds from `at` after which a retry makes sense, and whether it makes sense at all. */
  readonly retryAfterMs?: number | undefined;
  readonly shouldRetry?: boolean | undefined;
  /** Tries over all lanes. */
  readonly attempts?: number;
  /** What the answer said of itself; absent for errors. */
  readonly meta?: ReplyMeta;
}

/** Requests. Indexes: `_id`, `expireAt`. */
export function createRequestStore(db: Db) {
  const requests = db.collection<RequestDoc>('requests');
  return {
    ensureIndexes: async () => void (await requests.createIndex({ expireAt: 1 })),
    /** Stores a request; false when there is one of that id already, from another process, and then that one stands. */
    async insertOnce(request: RequestDoc): Promise<boolean> {
      try {
        await requests.insertOne(request);
        return true;
      } catch (error) {
        if (!isDuplicateKey(error)) throw error;
        // Its own, where the acknowledgement was lost and the driver has sent it again: its caller waits under its token.
        const found = await requests.findOne({ _id: request._id }, { projection: { replyTo: 1 } });
        return found !== null && found.replyTo?.token === request.replyTo?.token;
      }
    },
    find: (requestId: string) => requests.findOne({ _id: requestId }),
    /**
     * Stores the result if there is none yet; false when another attempt was first, and then its result stands. The body
     * gives way to it: together they may be longer than the 16 MiB of a document.
     */
    storeResult: async (requestId: string, result: RequestResult) =>
      (await requests.updateOne({ _id: requestId, result: null }, { $set: { result, body: '' } })).modifiedCount === 1,
    removeExpired: async (now: number) => (await requests.deleteMany({ expireAt: { $lt: now } })).deletedCount,
  };
}

export type RequestStore = ReturnType<typeof createRequestStore>;
