import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../core/log.ts';
import type { LaneLogStore } from '../../store/lane-log.ts';
import type { LedgerStore } from '../../store/ledger.ts';
import { isRefused, namesDocument, storeTrouble } from '../../store/store-trouble.ts';
import type { DirectEntry } from './direct-entry.ts';

interface WriteEntriesDeps {
  readonly laneLog: Pick<LaneLogStore, 'insertMissing'>;
  readonly ledger: Pick<LedgerStore, 'settle'>;
  readonly log: Logger;
}

/** Between tries while the database is away. */
const RETRY_AFTER_MS = 500;

/** What passes by itself has passed after so many tries, which take two seconds; then entries are tried one by one. */
const TRIES_TOGETHER = 5;

/** A refusal that names the document is the entry's own as soon as it comes again though others were taken. */
const NAMED_TIMES = 2;

/** What fails as a whole may be the database, in trouble again each time since it took the others: so often is no accident. */
const WHOLE_TIMES = 5;

/**
 * Writes entries to the database. One that it refuses must not hold up the others: it is set aside, with all that it says in the log
 * of this process, when the database says that it is the entry's fault, or takes others while this very one fails again and again.
 * @returns what begins a sequence of tries; what one meets with says nothing of another, and what was taken counts for all
 */
export function createWriteEntries({ laneLog, ledger, log }: WriteEntriesDeps) {
  let taken = 0;
  /** How often an entry has failed, with others taken in between, and how many were taken at the last of these times. */
  const failed = new WeakMap<DirectEntry, { readonly times: number; readonly taken: number }>();

  /** What was paid first; both writes are safe to repeat, for the entries have ids of their own. */
  const writeAll = async (entries: readonly DirectEntry[]): Promise<void> => {
    await ledger.settle(entries.flatMap((entry) => entry.ledger ?? []));
    await laneLog.insertMissing(entries.map((entry) => entry.log));
    taken += entries.length;
  };

  const isAtFault = (entry: DirectEntry, error: unknown): boolean => {
    if (isRefused(error)) return true;
    const before = failed.get(entry);
    if (before?.taken === taken) return false;
    const times = (before?.times ?? 0) + 1;
    failed.set(entry, { times, taken });
    return times >= (namesDocument(error) ? NAMED_TIMES : WHOLE_TIMES);
  };

  /** Returns those that are done with. Ends early when the database is in trouble. */
  const writeEach = async (entries: readonly DirectEntry[]): Promise<ReadonlySet<DirectEntry>> => {
    const done = new Set<DirectEntry>();
    for (const entry of entries) {
      try {
        await writeAll([entry]);
        done.add(entry);
      } catch (error) {
        if (storeTrouble(error) !== null) break;
        if (!isAtFault(entry, error)) continue;
        log.error({ err: error, id: entry.log._id, entry }, 'an entry of the books can’t be written: it is here alone');
        done.add(entry);
      }
    }
    return done;
  };

  return function startWriting() {
    let failures = 0;

    /**
     * Tries once, and waits a moment where that fails. Never throws.
     * @param waiting how many entries wait in all, for the log
     * @returns the entries that are done with: written, or set aside
     */
    return async function writeEntries(
      entries: readonly DirectEntry[],
      waiting: number,
    ): Promise<ReadonlySet<DirectEntry>> {
      if (failures < TRIES_TOGETHER) {
        try {
          await writeAll(entries);
          failures = 0;
          return new Set(entries);
        } catch (error) {
          log.warn({ err: error, waiting }, 'the books of direct requests could not be written; trying again');
          failures = storeTrouble(error) === null ? failures + 1 : 0;
          if (!isRefused(error)) {
            await sleep(RETRY_AFTER_MS);
            return new Set();
          }
        }
      }
      const done = await writeEach(entries);
      // Where none was taken it is hardly the entries: one try for all of them tells as much.
      failures = done.size === 0 ? 0 : failures;
      if (done.size < entries.length) await sleep(RETRY_AFTER_MS);
      else failures = 0;
      return done;
    };
  };
}
