import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { isProcessAlive } from '../core/process-alive.ts';
import { stateFolder } from './folder-lock.ts';

const POLL_MS = 50;

/** Where the process id of an embedded server of a data folder is kept. */
export function pidFileOf(dataDir: string, name: string): string {
  return join(stateFolder(dataDir), `${name}.pid`);
}

/**
 * Remembers the process id of a server in its data folder, so that the next start finds one that is still on its way out
 * (its starter was killed a moment ago) or was left over (its watchdog was killed as well).
 */
export async function rememberProcess(pidFile: string, pid: number): Promise<void> {
  await writeFile(pidFile, String(pid), { mode: 0o600 });
}

/**
 * Waits for a server of an earlier start to be gone, and ends it if need be: two servers on one store would harm it.
 * @param marker part of its command line, so that a process that got the same id by chance is left alone.
 * @param graceMs how long it may take to end by itself.
 */
export async function endLeftover(pidFile: string, marker: string, graceMs: number): Promise<void> {
  const pid = await readPid(pidFile);
  if (pid === null) return;
  if ((await readCommandLine(pid)).includes(marker)) {
    signal(pid, 'SIGTERM');
    if (!(await isGoneWithin(pid, marker, graceMs))) {
      signal(pid, 'SIGKILL');
      if (!(await isGoneWithin(pid, marker, graceMs)))
        throw new Error(`Process ${pid} of an earlier start does not end.`);
    }
  }
  await rm(pidFile, { force: true });
}

/** Whether a server of an earlier start, or a process that has its number by chance, still runs. */
export async function hasLeftover(pidFile: string): Promise<boolean> {
  const pid = await readPid(pidFile);
  return pid !== null && isProcessAlive(pid);
}

async function readPid(pidFile: string): Promise<number | null> {
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => ''));
  return Number.isSafeInteger(pid) && pid > 1 ? pid : null;
}

async function isGoneWithin(pid: number, marker: string, limitMs: number): Promise<boolean> {
  const deadline = Date.now() + limitMs;
  while (Date.now() < deadline) {
    if (!(await readCommandLine(pid)).includes(marker)) return true;
    await sleep(POLL_MS);
  }
  return false;
}

/** Empty for a process that is gone. */
async function readCommandLine(pid: number): Promise<string> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ');
  } catch {
    if (process.platform === 'linux') return '';
  }
  const { stdout } = await promisify(execFile)('ps', ['-o', 'args=', '-p', String(pid)]).catch(() => ({ stdout: '' }));
  return stdout;
}

function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended in between.
  }
}
