import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/log.ts';
import type { SecretBox } from '../../core/secret-box.ts';
import type { Shutdown } from '../../core/shutdown.ts';
import { createPriceList } from '../../lanes/prices/price-list.ts';
import type { LaneLogStore } from '../../store/lane-log.ts';
import type { LaneDoc, LaneStore } from '../../store/lanes.ts';
import type { LedgerStore } from '../../store/ledger.ts';
import type { UnderWay } from '../under-way.ts';
import type { RunCompletion } from '../completions/run-completion.ts';
import { createDirectLanes } from './direct-lanes.ts';
import { keepJournal } from './keep-journal.ts';
import { startRecovery } from './recover-journals.ts';
import { createRunDirect } from './run-direct.ts';
import { createWriteBehind } from './write-behind.ts';

interface DirectPathDeps {
  readonly lanes: LaneStore;
  readonly laneLog: LaneLogStore;
  readonly ledger: LedgerStore;
  readonly secretBox: SecretBox;
  /** The folder of everything that must survive. */
  readonly dataDir: string;
  /** Requests, and what they say of lanes: the stop waits for them once the lanes are closed. */
  readonly underWay: UnderWay;
  readonly clock: Clock;
  readonly log: Logger;
  readonly shutdown: Shutdown;
}

/** The books are written to the end within this time; with a database that is away longer the journal keeps what is left. */
const FINISH_BOOKS_MS = 30_000;

/**
 * Puts the direct path together. It stops after the port that it serves: first its lanes, so that every call has come to its end, then
 * the books, so that what became of it is written, and their journal last.
 */
export async function startDirectPath(deps: DirectPathDeps) {
  const { lanes, laneLog, ledger, secretBox, dataDir, underWay, clock, log, shutdown } = deps;
  const directLanes = createDirectLanes({ lanes, secretBox, clock, log });
  const root = join(dataDir, 'journal');
  const journal = await keepJournal(root, log);
  const books = createWriteBehind({ laneLog, ledger, journal, log });
  const stopRecovery = startRecovery({ root, isOwn: journal.isOwn, write: books.write, log });
  const prices = createPriceList();
  shutdown.add('journal of the direct path', 5_000, () => journal.stop());
  shutdown.add('books of the direct path', FINISH_BOOKS_MS, () => books.stop());
  shutdown.add('key lanes of the api', 5_000, async () => {
    await directLanes.stop();
    await underWay.settled();
  });
  shutdown.add('recovery of journals', 5_000, stopRecovery);
  const runDirect: RunCompletion = createRunDirect({
    host: directLanes,
    books,
    costMicros: (model, usage) => prices.costMicros(model, usage),
    underWay,
    clock,
  });
  return {
    runDirect,
    /** Passes on what was read of the lanes, and lets the direct path know it first. */
    async watch(reading: Promise<LaneDoc[]>): Promise<LaneDoc[]> {
      const docs = await reading;
      directLanes.take(docs);
      return docs;
    },
  };
}
