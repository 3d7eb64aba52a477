import { spawnSync } from 'node:child_process';
import { hostname } from 'node:os';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createLogger } from '../../core/log.ts';
import { lockFolder } from '../../stack/folder-lock.ts';
import { createTemporaryFolder } from './temporary-folder.ts';

const log = createLogger('silent', 'test');

/** A lock as a process leaves it that was killed a moment ago. */
async function leaveLock(folder: string, owner: { pid: number; host: string }): Promise<void> {
  await mkdir(join(folder, 'stack.lock'));
  await writeFile(join(folder, 'stack.owner'), JSON.stringify(owner));
}

function pidOfTheDead(): number {
  return spawnSync(process.execPath, ['--version']).pid;
}

describe('the lock of the data folder', () => {
  it('refuses a second owner by naming the first', async () => {
    const folder = await createTemporaryFolder();
    const release = await lockFolder(folder, 'stack', log);
    await expect(lockFolder(folder, 'stack', log)).rejects.toThrow(
      `The data folder ${folder} is in use by process ${process.pid} on ${hostname()}.`,
    );
    await release();
  });

  it('is free again after its release', async () => {
    const folder = await createTemporaryFolder();
    await (
      await lockFolder(folder, 'stack', log)
    )();
    await (
      await lockFolder(folder, 'stack', log)
    )();
  });

  it('is taken over at once from a process that was killed', async () => {
    const folder = await createTemporaryFolder();
    await leaveLock(folder, { pid: pidOfTheDead(), host: hostname() });
    const release = await lockFolder(folder, 'stack', log);
    await release();
  });

  it('is taken over by one only of several that see the dead owner', async () => {
    const folder = await createTemporaryFolder();
    await leaveLock(folder, { pid: pidOfTheDead(), host: hostname() });
    const attempts = await Promise.allSettled([1, 2, 3, 4].map(() => lockFolder(folder, 'stack', log)));
    const owners = attempts.filter((attempt) => attempt.status === 'fulfilled');
    expect(owners).toHaveLength(1);
    await owners[0]?.value();
  });

  it('is not taken over from another machine on a shared disk', async () => {
    const folder = await createTemporaryFolder();
    await leaveLock(folder, { pid: pidOfTheDead(), host: 'another-machine' });
    await expect(lockFolder(folder, 'stack', log)).rejects.toThrow('on another-machine');
  });
});
