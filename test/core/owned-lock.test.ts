import { execFileSync, spawnSync } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, open, rm, rmdir, type FileHandle } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { LockHeldError, takeOwnedLock } from '../../core/owned-lock.ts';
import { createTemporaryFolder } from '../stack/temporary-folder.ts';

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Resolves when somebody reads the pipe, who then waits for what is written here. */
async function openPipe(path: string): Promise<FileHandle> {
  for (;;) {
    try {
      return await open(path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
      await sleep(5);
    }
  }
}

describe('a lock whose owner can’t be written down', () => {
  it('is let go of, and free for the next try', async () => {
    const target = join(await createTemporaryFolder(), 'a');
    await mkdir(`${target}.owner`);
    await expect(takeOwnedLock(target, () => undefined)).rejects.toMatchObject({ code: 'EISDIR' });
    expect(await isThere(`${target}.lock`)).toBe(false);
    await rmdir(`${target}.owner`);
    const release = await takeOwnedLock(target, () => undefined);
    await release();
  });
});

describe('a process that has lost the guard while it looks for the owner', () => {
  /** One try, which has the guard and reads who the owner is until that is told: a process that is dead. */
  async function begin() {
    const target = join(await createTemporaryFolder(), 'a');
    const guard = `${target}.guard.lock`;
    const { pid } = spawnSync(process.execPath, ['--version']);
    await mkdir(`${target}.lock`);
    execFileSync('mkfifo', [`${target}.owner`]);
    const taking = takeOwnedLock(target, () => undefined);
    taking.catch(() => undefined);
    const pipe = await openPipe(`${target}.owner`);
    const tell = async (): Promise<void> => {
      await rm(`${target}.owner`);
      await pipe.writeFile(JSON.stringify({ pid, host: hostname() }));
      await pipe.close();
    };
    return { target, guard, taking, tell };
  }

  /** Resolves when the guard is looked at, as it is every 2.5 seconds; the clock stands still, and can't tell that it is lost. */
  function guardLookedAt(): Promise<void> {
    const now = Date.now();
    return new Promise((resolve) => {
      vi.spyOn(Date, 'now').mockImplementation(() => {
        if (new Error().stack?.includes('proper-lockfile') === true) resolve();
        return now;
      });
    });
  }

  it('lives on, and removes no lock that another one may have made meanwhile', async () => {
    const { target, guard, taking, tell } = await begin();
    // The other one’s.
    await rmdir(guard);
    await sleep(10);
    await mkdir(guard);
    await guardLookedAt();
    await tell();
    await expect(taking).rejects.toThrow(new LockHeldError(target, null, undefined).message);
    expect(await isThere(`${target}.lock`)).toBe(true);
    expect(await isThere(guard)).toBe(true);
  });

  it('knows it by the clock as well, when it was stopped itself', async () => {
    const { target, taking, tell } = await begin();
    const later = Date.now() + 6_000;
    vi.spyOn(Date, 'now').mockImplementation(() => later);
    await tell();
    await expect(taking).rejects.toBeInstanceOf(LockHeldError);
    expect(await isThere(`${target}.lock`)).toBe(true);
  });
});
