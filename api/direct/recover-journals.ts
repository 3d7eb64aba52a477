import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../core/log.ts';
import { LockHeldError, takeOwnedLock } from '../../core/owned-lock.ts';
import type { DirectEntry } from './direct-entry.ts';

interface RecoverDeps {
  /** The folder that holds a journal's folder for each process. */
  readonly root: string;
  /** Whether a folder's name is that of a journal of this process. */
  readonly isOwn: (name: string) => boolean;
  /** Writes entries to the database, which may have some of them already. Resolves when it has them all. */
  readonly write: (entries: readonly DirectEntry[]) => Promise<void>;
  readonly log: Logger;
}

const JOURNAL_NAME = /^proc_[0-9a-f]{32}$/;

/**
 * Between looks for journals of processes that have ended. The lock of one that was killed on another machine, or in a container
 * that has begun anew, is free only some seconds later, so one look at the start is not enough.
 */
const LOOK_EVERY_MS = 60_000;

/** Looks for journals of processes that have ended, now and every minute. Returns what ends that, after a look under way. */
export function startRecovery(deps: RecoverDeps): () => Promise<void> {
  const stopping = new AbortController();
  const look = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await recoverJournals(deps).catch((error: unknown) =>
        deps.log.warn({ err: error, root: deps.root }, 'could not look for journals of direct requests; trying again'),
      );
      await sleep(LOOK_EVERY_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const looking = look();
  return async () => {
    stopping.abort();
    await looking;
  };
}

/**
 * Brings into the database what processes that were killed have left in their journals, and removes those. A journal whose
 * process lives, here or on another machine over the same disk, is locked, and left to it.
 */
export async function recoverJournals({ root, isOwn, write, log }: RecoverDeps): Promise<void> {
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (!entry.isDirectory() || !JOURNAL_NAME.test(entry.name) || isOwn(entry.name)) continue;
    const folder = join(root, entry.name);
    const release = await takeOwnedLock(folder, () => undefined).catch((error: unknown) => {
      if (error instanceof LockHeldError) return undefined;
      throw error;
    });
    if (release === undefined) continue;
    try {
      let recovered = 0;
      for (const name of (await readdir(folder)).toSorted()) {
        const entries = readEntries(await readFile(join(folder, name), 'utf8'));
        await write(entries);
        recovered += entries.length;
      }
      await rm(folder, { recursive: true });
      await rm(`${folder}.owner`, { force: true });
      if (recovered > 0)
        log.warn({ recovered }, 'wrote down direct requests of a process that had ended before it could');
    } finally {
      await release();
    }
  }
}

/** The entries of a file. A line that is not whole was being written at the kill, and its answer had not gone out. */
function readEntries(text: string): DirectEntry[] {
  return text.split('\n').flatMap((line) => {
    if (line === '') return [];
    try {
      return [JSON.parse(line) as DirectEntry];
    } catch {
      return [];
    }
  });
}
