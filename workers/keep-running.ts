import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../core/log.ts';

/** The part of a Temporal worker that keeping it alive takes. */
export interface RunningWorker {
  /** Resolves when it was shut down; rejects when it died. */
  run(): Promise<void>;
  getState(): string;
  shutdown(): void;
}

/** Wait before a dead worker is replaced: short at first; then longer, so that a server that refuses us is not flooded. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/** A worker that lived so long has its next pause short again. */
const STEADY_AFTER_MS = 60_000;

/**
 * Keeps a Temporal worker running: one that dies is replaced, because a queue that nobody polls is a lane that nobody
 * serves.
 * @returns ends it for good; resolves when all that was under way is over
 * @throws what `create` throws the first time: then nothing runs
 */
export async function keepRunning(
  create: () => Promise<RunningWorker>,
  queue: string,
  log: Pick<Logger, 'error'>,
): Promise<() => Promise<void>> {
  const stopping = new AbortController();
  const { signal } = stopping;
  let current = await create();

  const live = async (): Promise<void> => {
    let next: RunningWorker | undefined = current;
    for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      const startedAt = performance.now();
      try {
        current = next ?? (await create());
        next = undefined;
        const running = current.run();
        // Stopped while this one was made: it has to run to let go of its connection.
        if (signal.aborted) current.shutdown();
        await running;
        if (!signal.aborted) log.error({ queue }, 'a Temporal worker ended by itself; it is replaced');
      } catch (error) {
        log.error({ err: error, queue }, 'a Temporal worker died; it is replaced');
      }
      if (performance.now() - startedAt > STEADY_AFTER_MS) pauseMs = FIRST_PAUSE_MS;
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  };

  const lived = live();
  return async () => {
    stopping.abort();
    if (current.getState() === 'RUNNING') current.shutdown();
    await lived;
  };
}
