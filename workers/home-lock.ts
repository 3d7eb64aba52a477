import { join } from 'node:path';
import { LockHeldError, takeOwnedLock } from '../core/owned-lock.ts';

/**
 * Takes the home folder of an account for this process. Its refresh token can be used once: two Codex processes over one home
 * would end the sign-in of both.
 * @param onLost called when another process may have taken the home, as after a sleep of the machine
 * @throws Error that says which process has it
 */
export async function lockHome(dataDir: string, laneId: string, onLost: () => void): Promise<() => Promise<void>> {
  try {
    return await takeOwnedLock(join(dataDir, 'locks', `account-${laneId}`), onLost);
  } catch (cause) {
    if (!(cause instanceof LockHeldError)) throw cause;
    throw new Error(
      `The account’s home is in use by ${cause.holder}: one process serves an account, this one does not.`,
      {
        cause,
      },
    );
  }
}
