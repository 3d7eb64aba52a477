import type { Clock } from '../core/clock.ts';
import { TERMINAL_BATCH_STATES } from '../core/contracts/batch.ts';
import type { Logger } from '../core/log.ts';
import { releaseFiles } from '../store/release-file.ts';
import type { Stores } from '../store/stores.ts';

/** Nothing that is removed here is in anybody's way: an hour's delay costs room on the disk only. */
const EVERY_MS = 15 * 60_000;

/** The first round comes soon, for installations that never run for long. */
const FIRST_AFTER_MS = 60_000;

/** What looks left over may be under way for so long: uploads, batches that an activity of old still reads. */
const LEFT_OVER_AFTER_MS = 24 * 3_600_000;

/** Things of one kind in one round; the next one goes on. */
const AT_A_TIME = 100;

export interface HousekeepingDeps {
  readonly stores: Pick<Stores, 'files' | 'batches' | 'chunks' | 'requests'>;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

/** What one round has removed. */
export interface HousekeepingRound {
  readonly files: number;
  readonly requests: number;
  readonly batches: number;
  readonly orphans: number;
}

/**
 * Removes what is past its end: bytes of expired and deleted files, expired requests with their answers, chunks of batches
 * that are over, and bytes that a killed process left without a file. Each step is safe to repeat and for several workers
 * at a time; one that fails is logged, and the others are done.
 */
export function createHousekeeping({ stores, clock, log }: HousekeepingDeps) {
  const { files, batches, chunks, requests } = stores;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let round: Promise<unknown> = Promise.resolve();
  /** Where the last round stopped among the batches with chunks. */
  let place = '';

  const isLongOver = async (batchId: string): Promise<boolean> => {
    const batch = await batches.find(batchId);
    if (batch === null) return true;
    const { status, failedAt, completedAt, expiredAt, cancelledAt } = batch;
    const overAt = Math.max(failedAt ?? 0, completedAt ?? 0, expiredAt ?? 0, cancelledAt ?? 0);
    return TERMINAL_BATCH_STATES.includes(status) && overAt < clock.now() - LEFT_OVER_AFTER_MS;
  };

  const removeChunks = async (): Promise<number> => {
    const found = await chunks.listBatches(place, AT_A_TIME);
    place = found.length < AT_A_TIME ? '' : (found.at(-1) ?? '');
    let removed = 0;
    for (const batchId of found) {
      if (!(await isLongOver(batchId))) continue;
      await chunks.removeOfBatch(batchId);
      removed += 1;
    }
    return removed;
  };

  const step = async (name: string, remove: () => Promise<number>): Promise<number> => {
    if (stopped) return 0;
    try {
      return await remove();
    } catch (error) {
      log.warn({ err: error, step: name }, 'a step of the housekeeping failed; the next round tries again');
      return 0;
    }
  };

  const run = async (): Promise<HousekeepingRound> => {
    const removed = {
      files: await step('files', () => releaseFiles(stores, clock.now(), AT_A_TIME)),
      requests: await step('requests', () => requests.removeExpired(clock.now())),
      batches: await step('chunks', removeChunks),
      orphans: await step('orphans', () => files.removeOrphans(clock.now() - LEFT_OVER_AFTER_MS, AT_A_TIME)),
    };
    if (Object.values(removed).some((count) => count > 0)) log.info(removed, 'what was past its end is removed');
    return removed;
  };

  const runAfter = (delayMs: number): void => {
    timer = setTimeout(() => {
      round = run().finally(() => {
        if (!stopped) runAfter(EVERY_MS);
      });
    }, delayMs);
  };

  return {
    run,
    start: (): void => runAfter(FIRST_AFTER_MS),
    /** Waits for the step that is under way. */
    async stop(): Promise<void> {
      stopped = true;
      clearTimeout(timer);
      await round;
    },
  };
}
