import { readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Logger } from '../core/log.ts';
import { LockHeldError } from '../core/owned-lock.ts';
import { lockFolder, stateFolder } from './folder-lock.ts';

/**
 * Removes all that is kept in a data folder which nobody uses. The state of the stack stays: by it, servers of an earlier start that
 * are on their way out are waited for.
 * @throws Error that says who uses the folder; then nothing is removed.
 */
export async function emptyDataFolder(dataDir: string, log: Logger): Promise<void> {
  const release = await lockFolder(dataDir, 'stack', log).catch((refusal: Error) => {
    if (!(refusal.cause instanceof LockHeldError)) throw refusal;
    throw new Error(`${dataDir} is in use by ${refusal.cause.holder}. Stop that one first.`, { cause: refusal });
  });
  try {
    const kept = basename(stateFolder(dataDir));
    const names = (await readdir(dataDir)).filter((name) => name !== kept);
    await Promise.all(names.map((name) => rm(join(dataDir, name), { recursive: true, force: true })));
  } finally {
    await release();
  }
}
