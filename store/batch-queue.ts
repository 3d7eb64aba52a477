import type { Db } from 'mongodb';
import type { BatchDoc } from './batches.ts';

/** What batches that run have before them. */
export function createBatchQueueStore(db: Db) {
  const batches = db.collection<BatchDoc>('batches');
  return {
    /**
     * Lines without an outcome of the other batches of a model that run and end no later than a time; paused ones do not count.
     * Index: `status, createdAt`; few batches run at a time.
     * @param expiresAt Unix milliseconds
     * @param model null for batches of several models
     */
    async remainingUntil(expiresAt: number, model: string | null, exceptId: string): Promise<number> {
      const running = await batches
        .find({ status: 'in_progress', model, expiresAt: { $lte: expiresAt }, 'control.paused': false })
        .project<Pick<BatchDoc, '_id' | 'counts'>>({ counts: 1 })
        .toArray();
      return running
        .filter(({ _id }) => _id !== exceptId)
        .reduce((sum, { counts }) => sum + Math.max(0, counts.total - counts.completed - counts.failed), 0);
    },
  };
}

export type BatchQueueStore = ReturnType<typeof createBatchQueueStore>;
