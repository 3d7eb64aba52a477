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
 * @param onLost called when the lock was taken away from this process: what it guards must be let go of
 * @throws Error that says who holds it, or why the folder can't be used and what to do.
 */
export async function lockFolder(
  dataDir: string,
  name: string,
  log: Logger,
  onLost: (cause: Error) => void = () => undefined,
): Promise<() => Promise<void>> {
  try {
    return await takeOwnedLock(join(stateFolder(dataDir), name), (cause) => {
      log.error({ err: cause, dataDir }, 'the lock of the data folder was lost');
      onLost(cause);
    });
  } catch (cause) {
    if (!(cause instanceof LockHeldError)) throw new Error(describeRefusal(dataDir, cause), { cause });
    throw new Error(
      `The data folder ${dataDir} is in use by ${cause.holder}. Stop that one first, or set FLATLANE_DATA to another folder.`,
      { cause },
    );
  }
}

/** Why a folder can't be used, and what to do. */
export function describeRefusal(dataDir: string, cause: unknown): string {
  const { code, path, message } = cause as NodeJS.ErrnoException;
  const other = 'or set FLATLANE_DATA (`--data`) to another folder.';
  switch (code) {
    case 'EEXIST':
    case 'ENOTDIR':
      return `The data folder ${dataDir} cannot be used: ${path ?? dataDir} is a file, or within one. Move that away, ${other}`;
    case 'EACCES':
    case 'EPERM':
      return `The data folder ${dataDir} cannot be used: this user may not write to ${path ?? dataDir}. Change its owner or its mode, ${other}`;
    case 'EROFS':
      return `The data folder ${dataDir} cannot be used: its disk is read-only. Mount it for writing, ${other}`;
    case 'ENOSPC':
    case 'EDQUOT':
      return `The data folder ${dataDir} cannot be used: its disk is full. Make room, ${other}`;
    default:
      return `The data folder ${dataDir} cannot be used: ${message}. Choose a folder that can be written, ${other}`;
  }
}
