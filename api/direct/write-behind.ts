import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../core/log.ts';
import type { LaneLogStore } from '../../store/lane-log.ts';
import type { LedgerStore } from '../../store/ledger.ts';
import type { DirectEntry } from './direct-entry.ts';
import type { JournalKeeper } from './keep-journal.ts';
import { createWriteEntries } from './write-entries.ts';

/** The books of the direct path, written behind the answers. */
export interface WriteBehind {
  /** Takes an entry: it is in the journal at once, and in the database within WRITE_EVERY_MS while that answers. */
  add(entry: DirectEntry): void;
  /** Writes entries to the database, again and again until it has each of them or refuses it. It may have some of them already. */
  readonly write: (entries: readonly DirectEntry[]) => Promise<void>;
  /**
   * Asks before a request is taken in. True at once while little waits to be written; else it resolves with true as soon as a write
   * has made room, so that requests come no faster than the database writes. False when it does not answer and so much waits
   * that nothing more may be taken in: nothing paid for is ever dropped.
   */
  admit(): true | Promise<boolean>;
  /** Writes all that waits. Resolves when nothing waits any more. */
  stop(): Promise<void>;
}

/** How long an entry may wait for others to be written with, which spares a write to the database a request. */
const WRITE_EVERY_MS = 25;

/** Entries in one write: 5,000 documents/s go into MongoDB's embedded stand-in in groups of this size. */
const WRITE_AT_MOST = 500;

/** From here on requests wait for the database: half a second of its work, so that the lane log is never far behind. */
const PAUSE_FROM = 1_000;

/** Entries that may wait while the database is away: some 10 MB of memory. */
const ENTRIES_THAT_WAIT = 5_000;

/** A database that has written nothing for so long is taken as away, and what comes is kept until there is too much of it. */
const PAUSE_AT_MOST_MS = 1_000;

interface WriteBehindDeps {
  readonly laneLog: Pick<LaneLogStore, 'insertMissing'>;
  readonly ledger: Pick<LedgerStore, 'settle'>;
  readonly journal: Pick<JournalKeeper, 'append'>;
  readonly log: Logger;
}

interface Waiting {
  readonly entry: DirectEntry;
  /** Takes it out of the journal. */
  readonly forget: () => void;
}

export function createWriteBehind({ laneLog, ledger, journal, log }: WriteBehindDeps): WriteBehind {
  const startWriting = createWriteEntries({ laneLog, ledger, log });
  const writeEntries = startWriting();
  let waiting: Waiting[] = [];
  let writing: Promise<void> | undefined;
  const stopping = new AbortController();
  /** Requests that wait for room, in their order. */
  const paused = new Set<() => void>();

  const pause = (): Promise<boolean> =>
    new Promise((resolve) => {
      const goOn = (): void => {
        clearTimeout(timer);
        paused.delete(goOn);
        resolve(waiting.length < ENTRIES_THAT_WAIT);
      };
      const timer = setTimeout(goOn, PAUSE_AT_MOST_MS);
      paused.add(goOn);
    });

  /** As many as have found room. Those that are let in add their entries when they are answered, not now. */
  const resume = (room: number): void => {
    for (const goOn of [...paused].slice(0, room)) goOn();
  };

  const write = async (entries: readonly DirectEntry[]): Promise<void> => {
    const writeLeft = startWriting();
    let left = entries;
    while (left.length > 0) {
      const done = await writeLeft(left, waiting.length);
      left = left.filter((entry) => !done.has(entry));
    }
  };

  const drain = async (): Promise<void> => {
    while (waiting.length > 0) {
      if (waiting.length < WRITE_AT_MOST) {
        await sleep(WRITE_EVERY_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
      // Each try takes the first anew: an entry that is refused alone would wait alone for ever.
      const group = waiting.slice(0, WRITE_AT_MOST);
      const done = await writeEntries(
        group.map(({ entry }) => entry),
        waiting.length,
      );
      if (done.size === 0) continue;
      // Not before they are written: until then they count as waiting.
      waiting = [...group.filter(({ entry }) => !done.has(entry)), ...waiting.slice(group.length)];
      for (const { entry, forget } of group) if (done.has(entry)) forget();
      resume(waiting.length < PAUSE_FROM ? paused.size : done.size);
    }
    writing = undefined;
  };

  return {
    add(entry) {
      waiting.push({ entry, forget: journal.append(entry) });
      writing ??= drain();
    },
    write,
    admit: () => (waiting.length < PAUSE_FROM ? true : pause()),
    async stop() {
      stopping.abort();
      await writing;
    },
  };
}
