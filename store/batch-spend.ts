import type { Db } from 'mongodb';
import { TERMINAL_BATCH_STATES } from '../core/contracts/batch.ts';
import { newSpend, UNLIMITED_MICROS, type BatchSpend } from '../core/contracts/batch-spend.ts';
import type { BatchDoc } from './batches.ts';

/** Money of batches. Every step is one conditional update of one document, so no two of them can take the same cent. */
export function createBatchSpendStore(db: Db) {
  const batches = db.collection<BatchDoc>('batches');
  const find = async (batchId: string): Promise<BatchSpend> =>
    (await batches.findOne({ _id: batchId }, { projection: { spend: 1 } }))?.spend ?? newSpend(null);
  const end = async (
    batchId: string,
    hold: string,
    heldMicros: number,
    spentMicros: number,
    stands: Readonly<Record<string, unknown>> = {},
  ): Promise<boolean> => {
    const { matchedCount } = await batches.updateOne(
      { _id: batchId, [`spend.holds.${hold}`]: { $exists: true }, ...stands },
      {
        $inc: { 'spend.roomMicros': heldMicros - spentMicros, 'spend.paidMicros': spentMicros },
        $unset: { [`spend.holds.${hold}`]: '', [`spend.aliveAt.${hold}`]: '' },
      },
    );
    return matchedCount === 1;
  };

  return {
    find,

    /**
     * Holds an amount for an attempt. True when it is held, also by an earlier try of the same attempt whose answer was lost.
     * @param hold the key of the attempt: no dot and no dollar sign
     * @param aliveAt now, in Unix milliseconds, for an attempt that renews its hold while it lives
     */
    async hold(batchId: string, hold: string, micros: number, aliveAt?: number): Promise<boolean> {
      const { matchedCount } = await batches.updateOne(
        {
          _id: batchId,
          'spend.roomMicros': { $gte: micros },
          [`spend.holds.${hold}`]: { $exists: false },
        },
        {
          $inc: { 'spend.roomMicros': -micros },
          $set: {
            [`spend.holds.${hold}`]: micros,
            ...(aliveAt === undefined ? {} : { [`spend.aliveAt.${hold}`]: aliveAt }),
          },
        },
      );
      return matchedCount === 1 || Object.hasOwn((await find(batchId)).holds, hold);
    },

    /** Notes that the attempt that holds an amount is alive, or that another one has taken it over. False when the hold was ended. */
    async renew(batchId: string, hold: string, aliveAt: number): Promise<boolean> {
      const { matchedCount } = await batches.updateOne(
        { _id: batchId, [`spend.holds.${hold}`]: { $exists: true } },
        { $set: { [`spend.aliveAt.${hold}`]: aliveAt } },
      );
      return matchedCount === 1;
    },

    /** Ends a hold with what was spent of it. False when it was ended before: what was spent is counted once. */
    settle: (batchId: string, hold: string, heldMicros: number, spentMicros: number): Promise<boolean> =>
      end(batchId, hold, heldMicros, spentMicros),

    /**
     * Ends the hold of an attempt that is taken for dead, as if all of it was spent. False when it was ended before, or the attempt has
     * given a sign of life since.
     * @param aliveAt the sign of life after which it is taken for dead; undefined for none
     */
    settleDead: (batchId: string, hold: string, heldMicros: number, aliveAt: number | undefined): Promise<boolean> =>
      end(batchId, hold, heldMicros, heldMicros, { [`spend.aliveAt.${hold}`]: aliveAt ?? { $exists: false } }),

    /**
     * Ends the hold of an attempt that has spent nothing. False when it was ended before, or somebody else has taken it over.
     * @param aliveAt the attempt's own last sign of life
     */
    giveBack: (batchId: string, hold: string, heldMicros: number, aliveAt: number): Promise<boolean> =>
      end(batchId, hold, heldMicros, 0, { [`spend.aliveAt.${hold}`]: aliveAt }),

    /**
     * Sets the limit of a batch that is not over; what is paid and held stays counted, and the change is. Null when it is over.
     * @param maxMicros null for no limit
     */
    async setMax(batchId: string, maxMicros: number | null): Promise<BatchDoc | null> {
      for (;;) {
        const before = (await find(batchId)).maxMicros;
        const roomMicros = (maxMicros ?? UNLIMITED_MICROS) - (before ?? UNLIMITED_MICROS);
        const changed = await batches.findOneAndUpdate(
          { _id: batchId, 'spend.maxMicros': before, status: { $nin: [...TERMINAL_BATCH_STATES] } },
          { $set: { 'spend.maxMicros': maxMicros }, $inc: { 'spend.roomMicros': roomMicros, controlChanges: 1 } },
          { returnDocument: 'after' },
        );
        if (changed !== null) return changed;
        const now = await batches.findOne({ _id: batchId });
        // Somebody else has changed the limit between the two; else the batch is over.
        if (now === null || TERMINAL_BATCH_STATES.includes(now.status)) return null;
      }
    },
  };
}

export type BatchSpendStore = ReturnType<typeof createBatchSpendStore>;
