import type { Db } from 'mongodb';
import type { BatchDoc } from './batches.ts';
import { pageFilter, pageSort, type PagePlace } from './paging.ts';

/**
 * Ends of batches that are still to be announced: `announce` is set by the change to the end itself. Index: `announce, createdAt`, which
 * finds next to nothing, as an end is due for some milliseconds only.
 */
export function createBatchAnnouncementStore(db: Db) {
  const batches = db.collection<BatchDoc>('batches');
  return {
    ensureIndexes: async () => void (await batches.createIndex({ announce: 1, createdAt: 1 })),

    /**
     * Batches that ended before a time and are not announced yet, oldest first.
     * @param after the last batch of the page before
     */
    listDue: (endedBefore: number, limit: number, after: PagePlace | null = null): Promise<BatchDoc[]> =>
      batches
        .find({
          announce: 'due',
          // One of them is set; what is null is no number and compares with none.
          $nor: [
            { completedAt: { $gte: endedBefore } },
            { failedAt: { $gte: endedBefore } },
            { expiredAt: { $gte: endedBefore } },
            { cancelledAt: { $gte: endedBefore } },
          ],
          ...pageFilter<BatchDoc>({ limit, order: 'asc', after }),
        })
        .sort(pageSort('asc'))
        .limit(limit)
        .toArray(),

    /** Notes that all who are to hear of the end will. Safe to repeat. */
    markAnnounced: async (batchId: string): Promise<void> =>
      void (await batches.updateOne({ _id: batchId, announce: 'due' }, { $unset: { announce: '' } })),
  };
}

export type BatchAnnouncementStore = ReturnType<typeof createBatchAnnouncementStore>;
