import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from './log.ts';

/** An answer that was paid for is held in memory this long while the database is away, before the attempt is given up. */
const HOLD_MS = 120_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Writes what an attempt came to, or what it holds, again and again while the database is away: giving up costs another upstream
 * attempt, or counts money as spent that was not. `write` must be safe to repeat.
 * @throws the last error after two minutes
 */
export async function persist<T>(log: Logger, write: () => Promise<T>): Promise<T> {
  const givesUpAt = performance.now() + HOLD_MS;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      return await write();
    } catch (error) {
      if (performance.now() + pauseMs > givesUpAt) throw error;
      log.warn({ err: error, pauseMs }, 'could not read or write what an attempt needs; trying again');
      await sleep(pauseMs);
    }
  }
}
