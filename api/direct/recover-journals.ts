import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../core/log.ts';
import { LockHeldError, takeOwnedLock } from '../../core/owned-lock.ts';
import { repeat } from '../../core/repeat.ts';
import { isJsonObject, parseJson } from '../../core/wire/json-object.ts';
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
const SEGMENT_NAME = /^\d+\.jsonl$/;

/**
 * Between looks for journals of processes that have ended. The lock of one that was killed on another machine, or in a container
 * that has begun anew, is free only some seconds later, so one look at the start is not enough.
 */
const LOOK_EVERY_MS = 60_000;

/** Looks for journals of processes that have ended, now and every minute. Returns what ends that, after a look under way. */
export function startRecovery(deps: RecoverDeps): () => Promise<void> {
  return repeat(LOOK_EVERY_MS, () =>
    recoverJournals(deps).catch((error: unknown) =>
      deps.log.warn({ err: error, root: deps.root }, 'could not look for journals of direct requests; trying again'),
    ),
  );
}

/**
 * Brings into the database what processes that were killed have left in their journals, and removes those. A journal whose
 * process lives, here or on another machine over the same disk, is locked, and left to it.
 * @throws what the first journal that could not be recovered threw, after the others: they must not wait for it
 */
export async function recoverJournals({ root, isOwn, write, log }: RecoverDeps): Promise<void> {
  const failures: unknown[] = [];
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (!entry.isDirectory() || !JOURNAL_NAME.test(entry.name) || isOwn(entry.name)) continue;
    try {
      const recovered = await recoverJournal(join(root, entry.name), write);
      if (recovered > 0)
        log.warn({ recovered }, 'wrote down direct requests of a process that had ended before it could');
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/** Returns how many entries there were; 0 for a journal whose process lives. */
async function recoverJournal(folder: string, write: RecoverDeps['write']): Promise<number> {
  const release = await takeOwnedLock(folder, () => undefined).catch((error: unknown) => {
    if (error instanceof LockHeldError) return undefined;
    throw error;
  });
  if (release === undefined) return 0;
  try {
    let recovered = 0;
    // Its process may have ended in order since it was seen, and have removed it.
    const names = await readdir(folder).catch(orWithout);
    for (const name of names.filter((found) => SEGMENT_NAME.test(found)).toSorted()) {
      const entries = readEntries(await readFile(join(folder, name), 'utf8'));
      await write(entries);
      recovered += entries.length;
    }
    await rm(folder, { recursive: true, force: true });
    return recovered;
  } finally {
    await release();
  }
}

function orWithout(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}

/**
 * The entries of a file. A line that is not whole was being written at the kill, and its answer had not gone out. What is no entry,
 * for whatever reason, must not keep the others from the database.
 */
function readEntries(text: string): DirectEntry[] {
  return text.split('\n').flatMap((line) => {
    const read = parseJson(line);
    return isEntry(read) ? [read] : [];
  });
}

function isEntry(read: unknown): read is DirectEntry {
  if (!isJsonObject(read) || !isDocument(read['log'])) return false;
  return read['ledger'] === undefined || isDocument(read['ledger']);
}

function isDocument(value: unknown): boolean {
  return isJsonObject(value) && typeof value['_id'] === 'string';
}
