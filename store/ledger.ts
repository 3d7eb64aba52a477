import type { Db } from 'mongodb';
import { isDuplicateKey } from './database.ts';

/**
 * One row an attempt that was answered upstream: what it cost, whether or not its answer was the one that counted. The
 * key of the attempt is the row's id, so a crash between storing and acknowledging can't settle it twice.
 */
export interface LedgerDoc {
  /** `attemptKey` of a request, `lineAttemptKey` of a line; of a line in a provider's batch its id. */
  readonly _id: string;
  /** The request id, or the line's key. */
  readonly itemId: string;
  readonly batchId: string | null;
  readonly keyId: string;
  readonly laneId: string;
  readonly costMicros: number | null;
  readonly meterMicros: number | null;
  readonly at: number;
}

/** The ledger. Indexes: `_id`, `itemId`, `batchId`. */
export function createLedgerStore(db: Db) {
  const ledger = db.collection<LedgerDoc>('ledger');
  return {
    ensureIndexes: async () => {
      await ledger.createIndex({ itemId: 1 });
      await ledger.createIndex({ batchId: 1 });
    },
    /** Settles attempts, each at most once. */
    async settle(rows: readonly LedgerDoc[]): Promise<void> {
      if (rows.length === 0) return;
      try {
        await ledger.insertMany([...rows], { ordered: false });
      } catch (error) {
        if (!isDuplicateKey(error)) throw error;
      }
    },
    listOfBatch: (batchId: string) => ledger.find({ batchId }).toArray(),
    listOfItem: (itemId: string) => ledger.find({ itemId }).toArray(),
  };
}

export type LedgerStore = ReturnType<typeof createLedgerStore>;
