import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/log.ts';
import { addUsage, NO_USAGE } from '../../core/token-usage.ts';
import type { BatchStore } from '../../store/batches.ts';
import type { BatchResultDoc, BatchResultStore } from '../../store/batch-results.ts';
import type { LaneLogDoc, LaneLogStore } from '../../store/lane-log.ts';
import { tallyByLane } from '../../store/lane-tallies.ts';
import type { LedgerDoc, LedgerStore } from '../../store/ledger.ts';
import { persist } from '../../core/persist.ts';
import { createPaceNotes, type PaceNotes } from './pace-notes.ts';

/** What one line came to: its outcome, its entry in the lane log, and what it cost where it cost anything. */
export interface LineEntry {
  readonly result: BatchResultDoc;
  readonly log: LaneLogDoc;
  readonly ledger?: LedgerDoc;
}

export interface LineRecorderDeps {
  readonly batches: BatchStore;
  readonly results: BatchResultStore;
  readonly laneLog: LaneLogStore;
  readonly ledger: LedgerStore;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Keeps outcomes of lines. Those that come while a write is under way go together into the next one. */
export interface LineRecorder {
  /** Resolves when the line's outcome is stored; a second outcome of a line is counted and dropped. */
  record(batchId: string, entry: LineEntry): Promise<void>;
}

export function createLineRecorder(deps: LineRecorderDeps): LineRecorder {
  const queues = new Map<string, { entry: LineEntry; resolve: () => void; reject: (error: unknown) => void }[]>();
  const writing = new Set<string>();
  const pace = createPaceNotes(deps.clock);

  const drain = async (batchId: string): Promise<void> => {
    if (writing.has(batchId)) return;
    writing.add(batchId);
    for (let queued = queues.get(batchId); queued !== undefined; queued = queues.get(batchId)) {
      queues.delete(batchId);
      try {
        await write(
          deps,
          pace,
          batchId,
          queued.map(({ entry }) => entry),
        );
        for (const { resolve } of queued) resolve();
      } catch (error) {
        for (const { reject } of queued) reject(error);
      }
    }
    writing.delete(batchId);
  };

  return {
    record(batchId, entry) {
      return new Promise((resolve, reject) => {
        const queue = queues.get(batchId) ?? [];
        queue.push({ entry, resolve, reject });
        queues.set(batchId, queue);
        void drain(batchId);
      });
    },
  };
}

/** What was paid first, then the outcome, then what is said of it: a crash between loses no cent and no line. */
async function write(
  deps: LineRecorderDeps,
  pace: PaceNotes,
  batchId: string,
  entries: readonly LineEntry[],
): Promise<void> {
  const { batches, results, laneLog, ledger, log } = deps;
  await persist(log, () => ledger.settle(entries.flatMap((entry) => entry.ledger ?? [])));
  const { stored, duplicates } = await persist(log, () => results.insertMany(entries.map(({ result }) => result)));
  const isStored = new Set(stored);
  const fresh = entries.filter(({ result }) => isStored.has(result.line));
  // After a crash between the two writes the log entry is what is missing, so a duplicate's is offered as well.
  await persist(log, () => laneLog.insertMissing(entries.map((entry) => entry.log)));
  const counts = {
    completed: fresh.filter(({ result }) => result.kind === 'completed').length,
    failed: fresh.filter(({ result }) => result.kind === 'failed').length,
    duplicates: duplicates.length,
    usage: fresh.reduce((sum, { result }) => addUsage(sum, result.usage), NO_USAGE),
    byLane: tallyByLane(fresh.map(({ result }) => result)),
    ...pace.count(batchId, fresh.length),
  };
  // Only a running count, and not safe to repeat: the outcomes are stored, and the end of the batch counts those.
  await batches
    .addCounts(batchId, counts)
    .catch((error: unknown) => log.warn({ err: error, batchId }, 'a running count of a batch was lost'));
}
