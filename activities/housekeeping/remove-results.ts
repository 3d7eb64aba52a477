import type { Clock } from '../../core/clock.ts';
import type { BatchResultStore } from '../../store/batch-results.ts';
import type { BatchDoc, BatchStore } from '../../store/batches.ts';
import type { FileStore } from '../../store/files.ts';
import { releaseLines } from '../../store/release-file.ts';
import type { Sweep } from './sweep.ts';

/** Results outlive their batch so long at most: as long as an output file that nobody gave another life. */
const KEPT_AFTER_THE_END_MS = 30 * 24 * 3_600_000;

/** Lines at a time: 500 keys are a small command, and its deletes take well under a second. */
const LINES_AT_A_TIME = 500;

interface RemoveResultsDeps {
  readonly batches: Pick<BatchStore, 'listOver' | 'markResults'>;
  readonly results: Pick<BatchResultStore, 'removeLines'>;
  readonly files: Pick<FileStore, 'findOwned' | 'bytes'>;
  readonly clock: Clock;
}

/**
 * Removes the results of batches that are over: when the files that they were written to are deleted or expired, or 30 days after
 * the end. It is noted at the batch first, so that nobody takes what is left of them for all. The lines that were made of the
 * batch's rows go along: till then they are what a retry sends.
 */
export function createRemoveResults({ batches, results, files, clock }: RemoveResultsDeps) {
  const isGone = async (batch: BatchDoc, fileId: string): Promise<boolean> =>
    (await files.findOwned(batch.ownerId, fileId, clock.now())) === null;

  const isDue = async (batch: BatchDoc, overAt: number): Promise<boolean> => {
    if (batch.results === 'removing' || overAt + KEPT_AFTER_THE_END_MS <= clock.now()) return true;
    const written = [batch.outputFileId, batch.errorFileId].filter((fileId) => fileId !== null);
    const gone = await Promise.all(written.map((fileId) => isGone(batch, fileId)));
    // One without files has no results to keep.
    return gone.every(Boolean);
  };

  return async function removeResults(page: readonly BatchDoc[], sweep: Sweep): Promise<number> {
    let removed = 0;
    for (const batch of page) {
      sweep.checkIn();
      if (!(await isDue(batch, endOf(batch)))) continue;
      await batches.markResults(batch._id, 'removing');
      for (let first = 1; first <= batch.counts.total; first += LINES_AT_A_TIME) {
        await results.removeLines(batch._id, first, Math.min(LINES_AT_A_TIME, batch.counts.total - first + 1));
        sweep.checkIn();
      }
      await releaseLines(files, batch);
      await batches.markResults(batch._id, 'removed');
      removed += 1;
    }
    return removed;
  };
}

/** Unix milliseconds of the end of a batch that is over. */
export function endOf({ failedAt, completedAt, expiredAt, cancelledAt }: BatchDoc): number {
  return Math.max(failedAt ?? 0, completedAt ?? 0, expiredAt ?? 0, cancelledAt ?? 0);
}
