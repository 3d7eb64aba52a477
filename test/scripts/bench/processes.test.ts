import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assertMemoryIsReadable, formatMegabytes, residentMegabytes } from '../../../scripts/bench/memory.ts';
import { gainOf, sampleProcesses, sumByName } from '../../../scripts/bench/processes.ts';

describe('sampleProcesses', () => {
  it('finds all that a process has started, and names accounts by their folders', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lane0a1b-'));
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', 'app-server'], { cwd: folder });
    try {
      await once(child, 'spawn');
      const samples = await sampleProcesses(process.pid, new Map([['lane0a1b', 'home']]));
      expect(samples.find(({ pid }) => pid === process.pid)?.name).toBe('flatlane');
      const own = samples.find(({ pid }) => pid === child.pid);
      expect(own?.name).toBe('codex home');
      expect(own?.residentMegabytes).toBeGreaterThan(1);
      expect(sumByName(samples, 'residentMegabytes').get('codex home')).toBe(own?.residentMegabytes);
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
      await rm(folder, { recursive: true, force: true });
    }
    expect((await sampleProcesses(process.pid)).some(({ pid }) => pid === child.pid)).toBe(false);
  });

  it('counts processor time in milliseconds', async () => {
    const spent = async (): Promise<number> =>
      (await sampleProcesses(process.pid)).find(({ pid }) => pid === process.pid)?.cpuMs ?? 0;
    const before = await spent();
    const startedAt = process.cpuUsage();
    while (process.cpuUsage(startedAt).user < 300_000);
    const counted = (await spent()) - before;
    expect(counted).toBeGreaterThanOrEqual(200);
    expect(counted).toBeLessThan(3_000);
  });
});

describe('a system without /proc', () => {
  const proc = join(tmpdir(), 'flatlane-no-proc');

  it('has no processes to be read, and figures that are not there', async () => {
    expect(await sampleProcesses(process.pid, new Map(), proc)).toEqual([]);
    expect(formatMegabytes(await residentMegabytes(process.pid, proc))).toBe('n/a');
    expect(formatMegabytes(await residentMegabytes(process.pid))).toMatch(/^\d+ MB$/);
    expect(gainOf('flatlane', new Map(), new Map())).toBeUndefined();
    expect(gainOf('flatlane', new Map([['flatlane', 2]]), new Map([['flatlane', 5]]))).toBe(3);
  });

  it('is told before its memory is measured in vain', async () => {
    await expect(assertMemoryIsReadable(proc)).rejects.toThrow('measure it on Linux');
    await expect(assertMemoryIsReadable()).resolves.toBeUndefined();
  });
});
