import { join } from 'node:path';
import { newProcessId } from '../../core/ids.ts';
import type { Logger } from '../../core/log.ts';
import { takeOwnedLock } from '../../core/owned-lock.ts';
import type { DirectEntry } from './direct-entry.ts';
import { openJournal, type Journal } from './journal.ts';

/** The journal of this process, opened anew when another one has taken it over. */
export interface JournalKeeper {
  /**
   * Puts an entry on disk; what it returns is to be called when the database has it. Never throws: where the disk takes nothing,
   * which is logged, an entry is in memory alone.
   */
  append(entry: DirectEntry): () => void;
  /** Whether a folder's name is that of a journal of this process. */
  readonly isOwn: (name: string) => boolean;
  stop(): Promise<void>;
}

interface Kept {
  readonly journal: Journal;
  readonly release: () => Promise<void>;
}

/** Where no journal could be opened, because the disk was full, say, it is tried again after this long. */
const OPEN_AGAIN_MS = 10_000;

const NOTHING_TO_DO = (): void => undefined;

/**
 * Opens the journal of this process in `root`, a folder that processes of one data folder share. Without one, where the folder can't
 * be written, requests are served all the same, and a kill costs the entries that wait.
 */
export async function keepJournal(root: string, log: Logger): Promise<JournalKeeper> {
  const names = new Set<string>();
  let kept: Kept | undefined;
  let isFailing = false;
  let isStopped = false;
  let triedAt = performance.now();

  const fail = (error: unknown): void => {
    if (!isFailing) {
      log.error(
        { err: error, root },
        'direct requests are not on disk before the database has them: a kill would lose some',
      );
    }
    isFailing = true;
  };
  const attempt = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      fail(error);
    }
  };
  const open = async (): Promise<void> => {
    const name = newProcessId();
    names.add(name);
    let release: Kept['release'] | undefined;
    try {
      release = await takeOwnedLock(join(root, name), () => replace());
      kept = { journal: openJournal(join(root, name)), release };
    } catch (error) {
      fail(error);
      await release?.().catch(() => undefined);
    }
  };
  let opening = open();
  const openAgain = (): void => {
    triedAt = performance.now();
    opening = opening.then(async () => {
      if (!isStopped && kept === undefined) await open();
    });
  };
  /** After a sleep of the machine, say: another process may write down and remove what is there, so this one leaves it. */
  const replace = (): void => {
    const lost = kept;
    kept = undefined;
    attempt(() => lost?.journal.retire());
    openAgain();
  };

  await opening;
  return {
    append(entry) {
      if (kept === undefined) {
        if (performance.now() - triedAt > OPEN_AGAIN_MS) openAgain();
        return NOTHING_TO_DO;
      }
      try {
        const forget = kept.journal.append(entry);
        isFailing = false;
        return () => attempt(forget);
      } catch (error) {
        fail(error);
        return NOTHING_TO_DO;
      }
    },
    isOwn: (name) => names.has(name),
    async stop() {
      isStopped = true;
      await opening;
      attempt(() => kept?.journal.retire());
      await kept?.release();
    },
  };
}
