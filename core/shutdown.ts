import { setMaxListeners } from 'node:events';
import type { Logger } from './log.ts';

/** Stops a process in named phases, each with a time limit, so that one that hangs does not hold up the rest. */
export interface Shutdown {
  /** Phases run in the reverse order in which they were added: what was started last is stopped first. */
  add(phase: string, limitMs: number, stop: () => Promise<unknown>): void;
  /** Runs all phases once; a second call waits for the first. Never throws: what fails is logged. */
  run(): Promise<void>;
  /** Aborted when the first phase begins: nothing that can wait is begun any more. */
  readonly signal: AbortSignal;
}

export function createShutdown(log: Logger): Shutdown {
  const phases: { phase: string; limitMs: number; stop: () => Promise<unknown> }[] = [];
  const stopping = new AbortController();
  // Each line of a batch that waits for a slot listens to it: many are no leak, and Node would warn of more than ten.
  setMaxListeners(0, stopping.signal);
  let running: Promise<void> | undefined;
  const runPhases = async (): Promise<void> => {
    stopping.abort();
    for (const { phase, limitMs, stop } of phases.toReversed()) {
      let timer: NodeJS.Timeout | undefined;
      const limit = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`not over after ${limitMs} ms`)), limitMs);
      });
      try {
        await Promise.race([stop(), limit]);
        log.debug({ phase }, 'stopped');
      } catch (cause) {
        log.warn({ phase, err: cause }, 'a phase of the shutdown failed; going on');
      } finally {
        clearTimeout(timer);
      }
    }
  };
  return {
    add: (phase, limitMs, stop) => void phases.push({ phase, limitMs, stop }),
    run: () => (running ??= runPhases()),
    signal: stopping.signal,
  };
}
