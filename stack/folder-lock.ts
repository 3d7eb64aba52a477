import { join } from 'node:path';
import type { Logger } from '../core/log.ts';
import { LockHeldError, takeOwnedLock } from '../core/owned-lock.ts';

/** All state of the stack itself (locks, ports, process ids) is in this folder of the data folder. */
export function stateFolder(dataDir: string): string {
  return join(dataDir, 'stack');
}

/**
 * Takes the lock `name` of a data folder for this process, and returns its release. A lock of a process that was killed is taken
 * over at once when it was on this machine, else when it is stale.
 * @throws Error that says who holds it.
 */
export async function lockFolder(dataDir: string, name: string, log: Logger): Promise<() => Promise<void>> {
  try {
    return await takeOwnedLock(join(stateFolder(dataDir), name), (cause) =>
      log.error({ err: cause, dataDir }, 'the lock of the data folder was lost'),
    );
  } catch (cause) {
    if (!(cause instanceof LockHeldError)) throw new Error(`The data folder ${dataDir} cannot be locked.`, { cause });
    throw new Error(
      `The data folder ${dataDir} is in use by ${cause.holder}. Stop that one first, or set FLATLANE_DATA to another folder.`,
      { cause },
    );
  }
}
