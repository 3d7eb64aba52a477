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
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The state follows the name, which is in parentheses and may hold anything.
    return !stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    // Outside Linux there is no such file, and the signal has the last word.
    return process.platform !== 'linux';
  }
}
