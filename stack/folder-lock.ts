import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { lock } from 'proper-lockfile';
import type { Logger } from '../core/log.ts';
import { isProcessAlive } from './process-life.ts';

/** A lock whose owner has not shown itself for so long is free; the owner shows itself every UPDATE_MS. */
const STALE_MS = 10_000;
const UPDATE_MS = 2_000;

/** The guard is held for milliseconds; one that is left by a killed process is stale after proper-lockfile's least. */
const GUARD = { stale: 5_000, realpath: false, retries: { retries: 200, factor: 1, minTimeout: 40, maxTimeout: 60 } };

interface Owner {
  readonly pid: number;
  readonly host: string;
}

/**
 * Takes the lock `name` of a folder for this process, and returns its release. A lock of a process that was killed is taken
 * over at once when it was on this machine, else when it is stale.
 * @throws Error that says who holds it.
 */
export async function lockFolder(folder: string, name: string, log: Logger): Promise<() => Promise<void>> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const target = join(folder, name);
  const ownerFile = `${target}.owner`;
  // All that follows is done by one process at a time: of two that see a dead owner, one would remove the other's new lock.
  const releaseGuard = await lock(`${target}.guard`, GUARD);
  try {
    const take = (): Promise<() => Promise<void>> =>
      lock(target, {
        realpath: false,
        stale: STALE_MS,
        update: UPDATE_MS,
        onCompromised: (cause) => log.error({ err: cause, folder }, 'the lock of the data folder was lost'),
      });
    const release = await take().catch(async (cause: unknown) => {
      const owner = await readOwner(ownerFile);
      if (!isLockedError(cause) || owner === null || !isDead(owner)) throw refuse(cause, folder, owner);
      await rm(`${target}.lock`, { recursive: true, force: true });
      return take();
    });
    await writeFile(ownerFile, JSON.stringify({ pid: process.pid, host: hostname() } satisfies Owner), { mode: 0o600 });
    return release;
  } finally {
    await releaseGuard();
  }
}

function refuse(cause: unknown, folder: string, owner: Owner | null): Error {
  if (!isLockedError(cause)) return new Error(`The data folder ${folder} cannot be locked.`, { cause });
  const holder = owner === null ? 'another process' : `process ${owner.pid} on ${owner.host}`;
  return new Error(
    `The data folder ${folder} is in use by ${holder}. Stop that one first, or set FLATLANE_DATA to another folder.`,
    { cause },
  );
}

async function readOwner(file: string): Promise<Owner | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Owner;
  } catch {
    return null;
  }
}

function isDead(owner: Owner): boolean {
  return owner.host === hostname() && !isProcessAlive(owner.pid);
}

function isLockedError(cause: unknown): boolean {
  return (cause as NodeJS.ErrnoException | null)?.code === 'ELOCKED';
}
