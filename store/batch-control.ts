import type { Db } from 'mongodb';
import { TERMINAL_BATCH_STATES } from '../core/contracts/batch.ts';
import { DEFAULT_CONTROL, type BatchControl } from '../core/contracts/batch-control.ts';
import { newSpend } from '../core/contracts/batch-spend.ts';
import type { BatchDoc, BatchWait } from './batches.ts';

/** States in which a batch still obeys: past them nothing is sent out any more. */
const OBEYING = { $nin: [...TERMINAL_BATCH_STATES, 'finalizing' as const, 'cancelling' as const] };

/** How batches are told to run. */
export function createBatchControlStore(db: Db) {
  const batches = db.collection<BatchDoc>('batches');
  return {
    /** Batches that an earlier version has stored get what it did: no limit, and each lane at once. */
    ensureDefaults: async () =>
      void (await batches.updateMany(
        { control: { $exists: false } },
        { $set: { control: { ...DEFAULT_CONTROL, spill: 'now' }, spend: newSpend(null), waiting: null } },
      )),

    find: async (batchId: string): Promise<BatchControl | null> =>
      (await batches.findOne({ _id: batchId }, { projection: { control: 1 } }))?.control ?? null,

    /** Changes what is given, and returns the batch as it is after; null when it is over, or ends just now. */
    change(batchId: string, change: Partial<BatchControl>): Promise<BatchDoc | null> {
      if (Object.keys(change).length === 0) return batches.findOne({ _id: batchId, status: OBEYING });
      const set = Object.fromEntries(Object.entries(change).map(([field, value]) => [`control.${field}`, value]));
      return batches.findOneAndUpdate({ _id: batchId, status: OBEYING }, { $set: set }, { returnDocument: 'after' });
    },

    /** Notes until when the lines of a batch wait, and for what; null when they don't. */
    setWaiting: async (batchId: string, waiting: BatchWait | null) =>
      void (await batches.updateOne({ _id: batchId, status: OBEYING }, { $set: { waiting } })),
  };
}

export type BatchControlStore = ReturnType<typeof createBatchControlStore>;
