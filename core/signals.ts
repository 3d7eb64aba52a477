import { isatty } from 'node:tty';
import type { Shutdown } from './shutdown.ts';

/**
 * One Ctrl-C in a terminal arrives twice under npm: the terminal sends it to all of the group, and npm passes its own on, some 50 ms
 * later. A person who wants the process gone at once is slower than this.
 */
const SAME_SIGNAL_MS = 1_000;

/**
 * Runs the shutdown at Ctrl-C, at SIGTERM and when the terminal is closed, and then ends the process; a second signal, a second
 * later or more, ends it at once.
 */
export function stopOnSignals(shutdown: Shutdown): void {
  let stoppingSince: number | null = null;
  const stop = (): void => {
    if (stoppingSince !== null) {
      if (performance.now() - stoppingSince > SAME_SIGNAL_MS) process.exit(1);
      return;
    }
    stoppingSince = performance.now();
    void endProcess(shutdown, 0);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  // Whoever reads our output may go away (`| head`, a closed terminal): that is no reason to stop, nor to stop without order.
  for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);
}

const terminals = [0, 1, 2].filter((fd) => isatty(fd));

/** Runs the shutdown, and ends the process when it is over. */
export async function endProcess(shutdown: Shutdown, code: number): Promise<void> {
  await shutdown.run();
  // At its exit Node gives terminals their settings back, and crashes with a core dump when one is closed (seen with 20.20).
  if (terminals.some((fd) => !isatty(fd))) process.kill(process.pid, 'SIGKILL');
  process.exit(code);
}
