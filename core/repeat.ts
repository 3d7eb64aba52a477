import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Does something now, and again and again with a pause after each time, until it is ended. Returns what ends it, when the work that is
 * under way is done.
 * @param work must not throw: what fails is its own to report
 */
export function repeat(everyMs: number, work: () => Promise<void>): () => Promise<void> {
  const stopping = new AbortController();
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await work();
      await sleep(everyMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const running = run();
  return async () => {
    stopping.abort();
    await running;
  };
}
