import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../core/log.ts';
import type { LaneLogDoc, LaneLogStore } from '../../store/lane-log.ts';
import type { LedgerDoc, LedgerStore } from '../../store/ledger.ts';

/** What one request came to, for the books. */
export interface DirectEntry {
  readonly log: LaneLogDoc;
  /** Present when something was answered upstream, and so is paid for. */
  readonly ledger?: LedgerDoc;
}

/** The books of the direct path, written behind the answers. */
export interface WriteBehind {
  /** Takes an entry; it is written within WRITE_EVERY_MS while the database answers. */
  add(entry: DirectEntry): void;
  /** False while so much waits to be written that no further request may be taken in: nothing paid for is ever dropped. */
  readonly hasRoom: boolean;
  /** Writes all that waits. Resolves when nothing waits any more. */
  stop(): Promise<void>;
}

/** How long an entry may wait for others to be written with: what `kill -9` can lose, and what spares a write a request. */
const WRITE_EVERY_MS = 25;

/** Entries in one write: 5,000 documents/s go into MongoDB's embedded stand-in in groups of this size. */
const WRITE_AT_MOST = 500;

/** Entries that may wait while the database is away: some 10 MB, and no more than this is lost with the process. */
const ENTRIES_THAT_WAIT = 5_000;

/** Between tries while the database is away. */
const RETRY_AFTER_MS = 500;

interface WriteBehindDeps {
  readonly laneLog: Pick<LaneLogStore, 'insertMissing'>;
  readonly ledger: Pick<LedgerStore, 'settle'>;
  readonly log: Logger;
}

export function createWriteBehind({ laneLog, ledger, log }: WriteBehindDeps): WriteBehind {
  let waiting: DirectEntry[] = [];
  let writing: Promise<void> | undefined;
  const stopping = new AbortController();

  /** What was paid first; both writes are safe to repeat, for the entries have ids of their own. */
  const write = async (entries: readonly DirectEntry[]): Promise<void> => {
    for (;;) {
      try {
        await ledger.settle(entries.flatMap((entry) => entry.ledger ?? []));
        await laneLog.insertMissing(entries.map((entry) => entry.log));
        return;
      } catch (error) {
        log.warn(
          { err: error, waiting: waiting.length },
          'the books of direct requests could not be written; trying again',
        );
        await sleep(RETRY_AFTER_MS);
      }
    }
  };

  const drain = async (): Promise<void> => {
    while (waiting.length > 0) {
      if (waiting.length < WRITE_AT_MOST) {
        await sleep(WRITE_EVERY_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
      const entries = waiting.slice(0, WRITE_AT_MOST);
      await write(entries);
      // Not before they are written: until then they count as waiting.
      waiting = waiting.slice(entries.length);
    }
    writing = undefined;
  };

  return {
    add(entry) {
      waiting.push(entry);
      writing ??= drain();
    },
    get hasRoom() {
      return waiting.length < ENTRIES_THAT_WAIT;
    },
    async stop() {
      stopping.abort();
      await writing;
    },
  };
}
