import type { Db } from 'mongodb';
import { TERMINAL_BATCH_STATES, type BatchStatus } from '../core/contracts/batch.ts';
import { DEFAULT_CONTROL, type BatchControl } from '../core/contracts/batch-control.ts';
import { newSpend, type BatchSpend } from '../core/contracts/batch-spend.ts';
import type { BatchDoc, BatchWait } from './batches.ts';

/** States in which a batch does not obey any more: nothing of it is sent out. */
const ENDING: readonly BatchStatus[] = [...TERMINAL_BATCH_STATES, 'finalizing', 'cancelling'];

const OBEYING = { $nin: [...ENDING] };

/** How a batch is to run, and what it may still spend. */
export interface BatchLeave {
  /** Nothing of the batch may go out any more: it is over, or ends just now. */
  readonly isEnding?: true;
  readonly control: BatchControl;
  readonly spend: Pick<BatchSpend, 'roomMicros'>;
}

/** How batches are told to run. Index: `_id`. */
export function createBatchControlStore(db: Db) {
  const batches = db.collection<BatchDoc>('batches');
  return {
    /** Batches that an earlier version has stored get what it did: no limit, and each lane at once. */
    ensureDefaults: async () =>
      void (await batches.updateMany(
        { control: { $exists: false } },
        { $set: { control: { ...DEFAULT_CONTROL, spill: 'now' }, spend: newSpend(null), waiting: null } },
      )),

    /** What decides whether a line may still go out. */
    async find(batchId: string): Promise<BatchLeave | null> {
      const projection = { _id: 0, status: 1, control: 1, 'spend.roomMicros': 1 } as const;
      const found = await batches.findOne<BatchLeave & Pick<BatchDoc, 'status'>>({ _id: batchId }, { projection });
      if (found === null) return null;
      const { status, ...leave } = found;
      return ENDING.includes(status) ? { ...leave, isEnding: true } : leave;
    },

    /** Changes what is given, and returns the batch as it is after, the change counted; null when it is over, or ends just now. */
    change(batchId: string, change: Partial<BatchControl>): Promise<BatchDoc | null> {
      if (Object.keys(change).length === 0) return batches.findOne({ _id: batchId, status: OBEYING });
      const set = Object.fromEntries(Object.entries(change).map(([field, value]) => [`control.${field}`, value]));
      return batches.findOneAndUpdate(
        { _id: batchId, status: OBEYING },
        { $set: set, $inc: { controlChanges: 1 } },
        { returnDocument: 'after' },
      );
    },

    /** Notes that the workflow was told of all changes up to this one. Safe to repeat; nothing when there was another one since. */
    markTold: async (batchId: string, controlChanges: number): Promise<void> =>
      void (await batches.updateOne({ _id: batchId, controlChanges }, { $set: { controlTold: controlChanges } })),

    /** Notes until when the lines of a batch wait, and for what; null when they don't. */
    setWaiting: async (batchId: string, waiting: BatchWait | null) =>
      void (await batches.updateOne({ _id: batchId, status: OBEYING }, { $set: { waiting } })),
  };
}

export type BatchControlStore = ReturnType<typeof createBatchControlStore>;
