import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * Whether a process runs. One that has ended counts as dead also where nobody collects it: in a container whose first
 * process does not, it stays in the list for ever.
 */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (cause) {
    // Another user's process may not be signalled, but it is there.
    return (cause as NodeJS.ErrnoException).code === 'EPERM';
  }
  const state = readStat(pid)?.[0];
  // Outside Linux there is no such file, and the signal has the last word.
  return state === undefined ? process.platform !== 'linux' : state !== 'Z';
}

/** The time of a process's start, in clock ticks since the machine's, is this far behind its state. */
const START_TIME = 19;

/** `ps` answers in some 10 ms. */
const PS_LIMIT_MS = 5_000;

/**
 * When a process started, as a text that no other process with the same id has, also after a restart of the machine or of a container;
 * null for one that is not there.
 */
export function readStartTime(pid: number): string | null {
  if (process.platform === 'linux') {
    const ticks = readStat(pid)?.[START_TIME];
    return ticks === undefined ? null : `${readBootId()}/${ticks}`;
  }
  try {
    const args = ['-o', 'lstart=', '-p', String(pid)];
    const started = execFileSync('ps', args, { encoding: 'utf8', env: { LC_ALL: 'C' }, timeout: PS_LIMIT_MS }).trim();
    return started === '' ? null : started;
  } catch {
    return null;
  }
}

/** What Linux says of a process, from its state on; undefined where it says nothing. */
function readStat(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The state follows the name, which is in parentheses and may hold anything.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}
