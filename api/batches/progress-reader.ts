import { steadyClock, type Clock } from '../../core/clock.ts';
import { TERMINAL_BATCH_STATES } from '../../core/contracts/batch.ts';
import type { Logger } from '../../core/log.ts';
import { toBatchProgress, type BatchProgress } from '../../core/wire/batch-progress.ts';
import type { BatchDoc, BatchStore } from '../../store/batches.ts';
import type { LaneStore } from '../../store/lanes.ts';
import { createPoller, type Poller } from './poller.ts';

/** Names of lanes change seldom: progress may show an old one for this long. */
const ALIASES_ARE_FRESH_MS = 10_000;

export interface ProgressReaderDeps {
  readonly batches: Pick<BatchStore, 'find'>;
  readonly lanes: Pick<LaneStore, 'list'>;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn'>;
  /** How often a batch that is watched is read; once a second unless set. */
  readonly pollEveryMs?: number;
}

/** Tells how far batches are. Each look is one read of one document; watchers of one batch share theirs. */
export interface ProgressReader {
  read(batch: BatchDoc): Promise<BatchProgress>;
  /** The progress now and at each change, up to the state in which the batch is over. Ends when the signal is aborted or the api stops. */
  watch(batchId: string, signal: AbortSignal): AsyncGenerator<BatchProgress, void, undefined>;
  /** Ends what is watched. */
  stop(): void;
}

export function createProgressReader(deps: ProgressReaderDeps): ProgressReader {
  const { batches, lanes, clock, log, pollEveryMs = 1_000 } = deps;
  const pollers = new Map<string, Poller<BatchProgress>>();
  const watchers = new Set<() => void>();
  let isStopped = false;
  let aliases: ReadonlyMap<string, string> = new Map();
  let aliasesReadAt = Number.NEGATIVE_INFINITY;

  const read = async (batch: BatchDoc): Promise<BatchProgress> => {
    const age = steadyClock.now();
    if (age - aliasesReadAt >= ALIASES_ARE_FRESH_MS) {
      aliases = new Map((await lanes.list()).map(({ _id, alias }) => [_id, alias]));
      aliasesReadAt = age;
    }
    return toBatchProgress(toFacts(batch), (laneId) => aliases.get(laneId) ?? null, clock.now());
  };

  const pollerOf = (batchId: string): Poller<BatchProgress> => {
    const known = pollers.get(batchId);
    if (known !== undefined) return known;
    const poller: Poller<BatchProgress> = createPoller<BatchProgress>({
      everyMs: pollEveryMs,
      read: async () => {
        const batch = await batches.find(batchId);
        return batch === null ? null : read(batch);
      },
      isSame,
      isLast: ({ status }) => TERMINAL_BATCH_STATES.includes(status),
      onError: (error) =>
        log.warn({ err: error, batchId }, 'the progress of a batch could not be read; it is tried again'),
      onIdle: () => {
        if (pollers.get(batchId) === poller) pollers.delete(batchId);
      },
    });
    pollers.set(batchId, poller);
    return poller;
  };

  return {
    read,
    async *watch(batchId, signal) {
      // By hand: of two signals that AbortSignal.any joins, one that lives long keeps a trace of each watcher.
      const ended = new AbortController();
      const end = (): void => ended.abort();
      if (signal.aborted || isStopped) end();
      signal.addEventListener('abort', end);
      watchers.add(end);
      try {
        yield* pollerOf(batchId).follow(ended.signal);
      } finally {
        signal.removeEventListener('abort', end);
        watchers.delete(end);
      }
    },
    stop() {
      isStopped = true;
      for (const end of watchers) end();
    },
  };
}

/** True when there is nothing to tell: that time went by is no change. */
function isSame(before: BatchProgress, after: BatchProgress): boolean {
  const told = (progress: BatchProgress): string => JSON.stringify({ ...progress, updated_at: 0, expected_end: 0 });
  return told(before) === told(after);
}

function toFacts(batch: BatchDoc) {
  return {
    ...batch,
    byLane: batch.byLane ?? {},
    pace: batch.pace ?? [],
    paused: batch.control.paused,
    priority: batch.control.priority,
    retryOf: batch.retryOf ?? null,
  };
}
