import { access, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lock } from 'proper-lockfile';
import { isProcessAlive, readStartTime } from './process-alive.ts';

/** A lock whose owner on another machine has not shown itself for so long is free; the owner shows itself every UPDATE_MS. */
const STALE_MS = 10_000;
const UPDATE_MS = 2_000;

/** The guard is held for milliseconds; one that is left by a killed process is stale after proper-lockfile's least. */
const GUARD = { stale: 5_000, realpath: false, retries: { retries: 200, factor: 1, minTimeout: 40, maxTimeout: 60 } };

/** How long a killed process may take to be gone; so long does a refusal take as well. */
const DYING_LIMIT_MS = 1_500;
const DYING_POLL_MS = 25;

interface Owner {
  readonly pid: number;
  readonly host: string;
  /** When the process started: a later one may get the same id. Absent in files from before this was noted. */
  readonly startedAt?: string | null;
}

/** The locks that this process holds, by their absolute path. */
const held = new Set<string>();

/** Somebody else holds the lock. `holder` names them, as "process 12 on host". */
export class LockHeldError extends Error {
  override readonly name = 'LockHeldError';
  readonly holder: string;

  constructor(target: string, owner: Owner | null, cause: unknown) {
    const holder = owner === null ? 'another process' : `process ${owner.pid} on ${owner.host}`;
    super(`${target} is locked by ${holder}.`, { cause });
    this.holder = holder;
  }
}

/**
 * Takes the lock beside the path `target` (its folder is made) for this process, and returns its release. A lock of a process that
 * was killed is taken over at once when it was on this machine, else when it is stale. One whose owner lives on this machine is never
 * taken over, however long that one has not shown itself: it may be stopped (Ctrl-Z), and goes on where it was.
 * @param onLost called when the lock was taken away from this process, as after a sleep of the machine
 * @throws LockHeldError that says who holds it, and Error when the folder can't be written
 */
export async function takeOwnedLock(target: string, onLost: (cause: Error) => void): Promise<() => Promise<void>> {
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  const path = resolve(target);
  const ownerFile = `${target}.owner`;
  const onCompromised = (cause: Error): void => {
    held.delete(path);
    onLost(cause);
  };
  // All that follows is done by one process at a time: of two that see a dead owner, one would remove the other's new lock.
  const guard = await takeGuard(target);
  try {
    const present = await access(`${target}.lock`).then(
      () => true,
      () => false,
    );
    const owner = present ? await readOwner(ownerFile) : null;
    if (owner?.host === hostname()) {
      if (!(await isSoonDead(owner, path))) throw new LockHeldError(target, owner, undefined);
      // Whoever has the guard by now has seen the same dead owner, and what is there may be theirs.
      if (guard.isLost()) throw new LockHeldError(target, null, undefined);
      await rm(`${target}.lock`, { recursive: true, force: true });
    }
    const release = await lock(target, { realpath: false, stale: STALE_MS, update: UPDATE_MS, onCompromised }).catch(
      (cause: unknown) => {
        throw isLockedError(cause) ? new LockHeldError(target, owner, cause) : cause;
      },
    );
    held.add(path);
    try {
      const self: Owner = { pid: process.pid, host: hostname(), startedAt: readStartTime(process.pid) };
      await writeFile(ownerFile, JSON.stringify(self), { mode: 0o600 });
    } catch (error) {
      // Nobody has its release: it would be kept fresh as long as this process lives, and refuse that one too.
      held.delete(path);
      await release().catch(() => undefined);
      throw error;
    }
    return async () => {
      // While the lock is still ours: a next owner that is killed before it has written its name must not seem to be this one.
      if (held.delete(path)) await rm(ownerFile, { force: true });
      await release();
    };
  } finally {
    await guard.release();
  }
}

interface Guard {
  /** Whether another process may have it by now, as after a sleep of the machine. */
  readonly isLost: () => boolean;
  /** Never throws: what it guards is done, and a guard that stays is soon stale. */
  readonly release: () => Promise<void>;
}

async function takeGuard(target: string): Promise<Guard> {
  let isTakenAway = false;
  const release = await lock(`${target}.guard`, { ...GUARD, onCompromised: () => (isTakenAway = true) });
  const takenAt = Date.now();
  return {
    // The clock tells it before the guard is looked at again, to a process that was stopped.
    isLost: () => isTakenAway || Date.now() - takenAt >= GUARD.stale,
    release: () => release().catch(() => undefined),
  };
}

async function readOwner(file: string): Promise<Owner | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Owner;
  } catch {
    return null;
  }
}

/** A process that was killed a moment ago may still be in the list while the system clears its memory away. */
async function isSoonDead(owner: Owner, path: string): Promise<boolean> {
  // The id of this process, and not its lock: left by one before, in a container that begins anew say, where ids are the same.
  if (owner.pid === process.pid) return !held.has(path);
  const deadline = Date.now() + DYING_LIMIT_MS;
  while (isAlive(owner)) {
    if (Date.now() > deadline) return false;
    await sleep(DYING_POLL_MS);
  }
  return true;
}

/** Whether it is still the owner that has this id, and not a later process. */
function isAlive({ pid, startedAt }: Owner): boolean {
  return isProcessAlive(pid) && (typeof startedAt !== 'string' || readStartTime(pid) === startedAt);
}

function isLockedError(cause: unknown): boolean {
  return (cause as NodeJS.ErrnoException | null)?.code === 'ELOCKED';
}
