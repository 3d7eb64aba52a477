import type { Clock } from '../../core/clock.ts';
import { TERMINAL_BATCH_STATES } from '../../core/contracts/batch.ts';
import type { Logger } from '../../core/log.ts';
import { endUploads } from '../../store/finish-upload.ts';
import type { BatchDoc } from '../../store/batches.ts';
import type { FileDoc } from '../../store/files.ts';
import { releaseFiles } from '../../store/release-file.ts';
import type { Stores } from '../../store/stores.ts';
import { releaseHolds } from '../batch/release-holds.ts';
import { createRemoveResults, endOf } from './remove-results.ts';
import { createPages, type Sweep } from './sweep.ts';

const DAY_MS = 24 * 3_600_000;

/** What looks left over may be under way for so long: uploads, batches that an activity of old still reads. */
const LEFT_OVER_AFTER_MS = DAY_MS;

/** Things of one kind in one round; the next one goes on. */
const AT_A_TIME = 100;

/** Small documents that are removed by their ids, in one round: some 100,000 an hour. */
const SMALL_AT_A_TIME = 25_000;

export interface HousekeepDeps {
  readonly stores: Pick<
    Stores,
    'files' | 'uploads' | 'batches' | 'batchSpend' | 'chunks' | 'results' | 'requests' | 'laneLog' | 'idempotency'
  >;
  readonly clock: Clock;
  /** Days after which an entry of the lane log is removed. */
  readonly logDays: number;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** Says that the work goes on. May throw to end it. */
  readonly checkIn: (steps: number) => void;
}

/** How much of each kind one round has removed. */
export type HousekeepingRound = Readonly<Record<string, number>>;

/**
 * The activity that removes what is past its end, one bounded round of each step. Every step is safe to repeat, and for several
 * workers at a time; one that fails is logged, and the others are done. The ledger stays: it is the account of the money.
 */
export function createHousekeep({ stores, clock, logDays, log, checkIn }: HousekeepDeps) {
  const { files, uploads, batches, chunks, requests, laneLog, idempotency } = stores;
  const removeResults = createRemoveResults({ ...stores, clock });
  // Files that batches work on stay, as many as there are; those behind them must be found.
  const removableFiles = createPages(
    (after: FileDoc | null, limit) => files.listRemovable(clock.now(), limit, after),
    (file) => file,
    AT_A_TIME,
  );
  const batchesWithChunks = createPages(
    (after: string | null, limit) => chunks.listBatches(after ?? '', limit),
    (batchId) => batchId,
    AT_A_TIME,
  );
  const runningBatches = createPages(
    (after: BatchDoc | null, limit) => batches.listInStates(['in_progress'], clock.now(), limit, after),
    (batch) => batch,
    AT_A_TIME,
  );
  const batchesWithResults = createPages(batches.listOver, (batch) => batch, AT_A_TIME);

  const isLongOver = (batch: BatchDoc): boolean =>
    TERMINAL_BATCH_STATES.includes(batch.status) && endOf(batch) < clock.now() - LEFT_OVER_AFTER_MS;

  /** Bytes that a batch stands for: outcomes of a chunk, and lines that were made of its rows. Their ids begin with the batch's. */
  const isHeld = async (bodyId: string): Promise<boolean> =>
    (await chunks.holds(bodyId)) || (await batches.find(bodyId.split('.')[0] ?? ''))?.template?.bodyId === bodyId;

  const removeChunks = async (sweep: Sweep): Promise<number> => {
    let removed = 0;
    for (const batchId of await batchesWithChunks()) {
      sweep.checkIn();
      const batch = await batches.find(batchId);
      if (batch !== null && !isLongOver(batch)) continue;
      await chunks.removeOfBatch(batchId);
      removed += 1;
    }
    return removed;
  };

  /** Money that dead attempts of running batches hold; of one that is over nothing is held any more. */
  const releaseDeadHolds = async (sweep: Sweep): Promise<number> => {
    let released = 0;
    for (const batch of await runningBatches()) {
      sweep.checkIn();
      if (Object.keys(batch.spend.holds).length === 0) continue;
      released += await releaseHolds({ batchSpend: stores.batchSpend, now: () => clock.now() }, batch._id, 'dead');
    }
    return released;
  };

  /** In the order in which they run: what frees most room first. */
  const steps: Readonly<Record<string, (sweep: Sweep) => Promise<number>>> = {
    files: async ({ checkIn: onFile }) => releaseFiles(stores, await removableFiles(), clock.now(), onFile),
    uploads: ({ checkIn: onUpload }) => endUploads(stores, clock.now(), AT_A_TIME, onUpload),
    requests: () => requests.removeExpired(clock.now()),
    results: async (sweep) => removeResults(await batchesWithResults(), sweep),
    chunks: removeChunks,
    holds: releaseDeadHolds,
    orphans: () => files.removeOrphans(clock.now() - LEFT_OVER_AFTER_MS, AT_A_TIME, isHeld),
    oldUploads: () => uploads.removeTidied(clock.now() - LEFT_OVER_AFTER_MS, AT_A_TIME),
    logEntries: (sweep) => laneLog.removeBefore(clock.now() - logDays * DAY_MS, SMALL_AT_A_TIME, sweep.checkIn),
    idempotencyKeys: (sweep) => idempotency.removeExpired(clock.now(), SMALL_AT_A_TIME, sweep.checkIn),
  };

  return async function housekeep(): Promise<HousekeepingRound> {
    const removed: Record<string, number> = {};
    let checkIns = 0;
    /** The signal to stop comes out of the check-in and must get through; any other failure is the step's own. */
    let stopped: { readonly cause: unknown } | undefined;
    const sweep: Sweep = {
      checkIn() {
        try {
          checkIn(++checkIns);
        } catch (cause) {
          stopped = { cause };
          throw cause;
        }
      },
    };
    for (const [name, step] of Object.entries(steps)) {
      sweep.checkIn();
      try {
        removed[name] = await step(sweep);
      } catch (error) {
        if (stopped !== undefined) throw error;
        log.warn({ err: error, step: name }, 'a step of the housekeeping failed; the next round tries again');
        removed[name] = 0;
      }
    }
    if (Object.values(removed).some((count) => count > 0)) log.info(removed, 'what was past its end is removed');
    return removed;
  };
}
