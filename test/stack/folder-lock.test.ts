import { spawn, spawnSync } from 'node:child_process';
import { hostname } from 'node:os';
import { mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createLogger } from '../../core/log.ts';
import { readStartTime } from '../../core/process-alive.ts';
import { describeRefusal, lockFolder, stateFolder } from '../../stack/folder-lock.ts';
import { createTemporaryFolder } from './temporary-folder.ts';

const log = createLogger('silent', 'test');

/** A lock as a process leaves it that was killed a moment ago. */
async function leaveLock(
  folder: string,
  owner: { pid: number; host: string; startedAt?: string | null },
): Promise<void> {
  await mkdir(join(stateFolder(folder), 'stack.lock'), { recursive: true });
  await writeFile(join(stateFolder(folder), 'stack.owner'), JSON.stringify(owner));
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

  it('is taken over from a process that is about to end', async () => {
    const folder = await createTemporaryFolder();
    const dying = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)']);
    await leaveLock(folder, { pid: dying.pid ?? 0, host: hostname() });
    setTimeout(() => dying.kill('SIGKILL'), 200);
    const release = await lockFolder(folder, 'stack', log);
    await release();
  });

  it('is refused while its owner on this machine runs', async () => {
    const folder = await createTemporaryFolder();
    const owner = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)']);
    onTestFinished(() => void owner.kill('SIGKILL'));
    await leaveLock(folder, { pid: owner.pid ?? 0, host: hostname() });
    await expect(lockFolder(folder, 'stack', log)).rejects.toThrow(`in use by process ${owner.pid} on `);
  });

  it('is taken over by one only of several that see the dead owner', async () => {
    const folder = await createTemporaryFolder();
    await leaveLock(folder, { pid: pidOfTheDead(), host: hostname() });
    const attempts = await Promise.allSettled([1, 2, 3, 4].map(() => lockFolder(folder, 'stack', log)));
    const owners = attempts.filter((attempt) => attempt.status === 'fulfilled');
    expect(owners).toHaveLength(1);
    await owners[0]?.value();
  });

  it('is refused while its owner is stopped, however long that one has not shown itself', async () => {
    const folder = await createTemporaryFolder();
    const owner = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)']);
    onTestFinished(() => void owner.kill('SIGKILL'));
    const pid = owner.pid ?? 0;
    await leaveLock(folder, { pid, host: hostname(), startedAt: readStartTime(pid) });
    owner.kill('SIGSTOP');
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(join(stateFolder(folder), 'stack.lock'), longAgo, longAgo);
    await expect(lockFolder(folder, 'stack', log)).rejects.toThrow(`in use by process ${pid} on `);
  });

  it('is taken over when its owner’s id belongs to a later process', async () => {
    const folder = await createTemporaryFolder();
    const later = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)']);
    onTestFinished(() => void later.kill('SIGKILL'));
    await leaveLock(folder, { pid: later.pid ?? 0, host: hostname(), startedAt: 'another boot/1' });
    await (
      await lockFolder(folder, 'stack', log)
    )();
  });

  it('is taken over when its owner had the id of this process, in a container that has begun anew say', async () => {
    const folder = await createTemporaryFolder();
    await leaveLock(folder, { pid: process.pid, host: hostname() });
    await (
      await lockFolder(folder, 'stack', log)
    )();
  });

  it('tells its owner when it was taken away', async () => {
    const folder = await createTemporaryFolder();
    const lost = vi.fn<(cause: Error) => void>();
    const release = await lockFolder(folder, 'stack', log, lost);
    await rm(join(stateFolder(folder), 'stack.lock'), { recursive: true });
    await expect.poll(() => lost.mock.calls.length).toBe(1);
    await release().catch(() => undefined);
  });

  it('is not taken over from another machine on a shared disk', async () => {
    const folder = await createTemporaryFolder();
    await leaveLock(folder, { pid: pidOfTheDead(), host: 'another-machine' });
    await expect(lockFolder(folder, 'stack', log)).rejects.toThrow('on another-machine');
  });
});

describe('a data folder that cannot be used', () => {
  it('is said to be a file', async () => {
    const file = join(await createTemporaryFolder(), 'data');
    await writeFile(file, '');
    await expect(lockFolder(file, 'stack', log)).rejects.toThrow(`${file} cannot be used: `);
    await expect(lockFolder(file, 'stack', log)).rejects.toThrow('is a file, or within one. Move that away, or set');
  });

  it.each([
    ['EACCES', 'this user may not write to /data/stack. Change its owner or its mode'],
    ['EROFS', 'its disk is read-only. Mount it for writing'],
    ['ENOSPC', 'its disk is full. Make room'],
  ])('is said to be so for %s', async (code, reason) => {
    const cause = Object.assign(new Error(code), { code, path: '/data/stack' });
    expect(describeRefusal('/data', cause)).toContain(
      `The data folder /data cannot be used: ${reason}, or set FLATLANE_DATA`,
    );
  });
});
