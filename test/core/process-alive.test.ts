import { spawn, spawnSync } from 'node:child_process';
import { expect, it, onTestFinished } from 'vitest';
import { isProcessAlive, readStartTime } from '../../core/process-alive.ts';

it('knows a process that runs by its start, and one that does not', () => {
  const running = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)']);
  onTestFinished(() => void running.kill('SIGKILL'));
  const pid = running.pid ?? 0;
  expect(isProcessAlive(pid)).toBe(true);
  expect(readStartTime(pid)).toBe(readStartTime(pid));
  expect(readStartTime(pid)).not.toBe(readStartTime(process.pid));
  const dead = spawnSync(process.execPath, ['--version']).pid;
  expect([isProcessAlive(dead), readStartTime(dead)]).toEqual([false, null]);
});
