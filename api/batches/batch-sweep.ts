import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/log.ts';
import type { BatchAnnouncementStore } from '../../store/batch-announcements.ts';
import type { BatchDoc, BatchStore } from '../../store/batches.ts';
import type { KeyStore } from '../../store/keys.ts';
import { isUntold, tellControl, type TellControlDeps } from './tell-control.ts';

/**
 * How often batches are looked for whose workflow was never started or was lost, and how old they must be. The same time after its end
 * one that nobody has announced: its own workflow needs some milliseconds for that.
 */
const SWEEP_EVERY_MS = 30_000;
const LOST_AFTER_MS = 20_000;
const SWEEP_PAGE = 100;

const UNFINISHED = ['validating', 'in_progress', 'finalizing', 'cancelling'] as const;

interface BatchSweepDeps extends TellControlDeps {
  readonly batches: Pick<BatchStore, 'listInStates' | 'transition'>;
  readonly keys: Pick<KeyStore, 'listEndingBatches'>;
  readonly batchAnnouncements: Pick<BatchAnnouncementStore, 'listDue'>;
  /** Starts a batch's workflow unless it runs, or has brought the batch to its end. */
  readonly startBatch: (batch: BatchDoc) => Promise<void>;
  /** Starts what announces the end of a batch, unless it runs. */
  readonly startAnnouncement: (batch: BatchDoc) => Promise<void>;
  /** Tells the batch's workflow that it is cancelled. Safe to repeat. */
  readonly cancelBatch: (batchId: string) => Promise<void>;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn'>;
  /** The pause between two rounds; half a minute unless set. */
  readonly everyMs?: number;
}

/**
 * Looks again and again for batches that nobody works on: what is in the database is the truth, and a workflow that could not be
 * started, or that its Temporal server lost, is started again; one that does not know how its batch is to run now is told; an end
 * that was never announced is announced. What a revoked key still has running, or began just after, is cancelled. One round at a
 * time: the next one waits for the end of the one before.
 */
export function createBatchSweep(deps: BatchSweepDeps) {
  const { batches, keys, batchAnnouncements, startBatch, cancelBatch, startAnnouncement, clock, log } = deps;
  const { everyMs = SWEEP_EVERY_MS } = deps;
  let timer: NodeJS.Timeout | undefined;
  let round: Promise<void> = Promise.resolve();
  let stopped = false;

  /** What one batch fails of must not keep the others waiting; it is tried again in the next round. */
  const attempt = async (batchId: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      log.warn({ err: error, batchId }, 'the sweep failed for a batch; its next round tries again');
    }
  };

  /** Owners of the batches of the page that are revoked, and want nothing finished. */
  let ending: ReadonlySet<string> = new Set();
  const readUnfinished = async (before: number, after: BatchDoc | null): Promise<readonly BatchDoc[]> => {
    const page = await batches.listInStates(UNFINISHED, before, SWEEP_PAGE, after);
    ending = new Set(await keys.listEndingBatches([...new Set(page.map(({ ownerId }) => ownerId))]));
    return page;
  };

  const takeUp = async (batch: BatchDoc): Promise<void> => {
    const cancelled = ending.has(batch.ownerId) ? await batches.transition(batch._id, 'cancelling', clock.now()) : null;
    await startBatch(batch);
    if ((cancelled ?? batch).status === 'cancelling') await cancelBatch(batch._id);
    else if (isUntold(batch)) await tellControl(deps, batch);
  };

  /** Page by page: a batch that was lost must be found behind any number of older ones that run. */
  const forEach = async (
    read: (after: BatchDoc | null) => Promise<readonly BatchDoc[]>,
    work: (batch: BatchDoc) => Promise<void>,
  ): Promise<void> => {
    let last: BatchDoc | null = null;
    do {
      const page: readonly BatchDoc[] = await read(last);
      for (const batch of page) {
        if (stopped) return;
        await attempt(batch._id, () => work(batch));
      }
      last = page.length < SWEEP_PAGE ? null : (page.at(-1) ?? null);
    } while (last !== null);
  };

  const sweep = async (): Promise<void> => {
    const before = clock.now() - LOST_AFTER_MS;
    const steps = [
      () => forEach((after) => readUnfinished(before, after), takeUp),
      () => forEach((after) => batchAnnouncements.listDue(before, SWEEP_PAGE, after), startAnnouncement),
    ];
    for (const step of steps) {
      try {
        await step();
      } catch (error) {
        log.warn({ err: error }, 'the sweep of lost batches failed; its next round tries again');
      }
    }
    plan();
  };

  const plan = (): void => {
    if (stopped) return;
    timer = setTimeout(() => void (round = sweep()), everyMs);
  };

  return {
    startSweep: plan,
    /** No round begins any more, and one that is under way ends with the batch that it is at. */
    async stopSweep(): Promise<void> {
      stopped = true;
      clearTimeout(timer);
      await round;
    },
  };
}
