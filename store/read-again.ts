import { setTimeout as sleep } from 'node:timers/promises';
import { MongoAPIError } from 'mongodb';
import { storeTrouble } from './store-trouble.ts';

/**
 * A read in the middle of a stream waits this long for its database: whoever reads can't ask for the rest alone. The driver
 * itself gives up after one more try and ten seconds, and a database that was killed several times in a row may need longer.
 */
const WAITS_MS = 30_000;
const PAUSE_MS = 250;

/**
 * Reads, and reads again while the database does not answer.
 * @throws what the read threw, at once when it is of another kind or when we have closed the connection ourselves; else after
 *   half a minute
 */
export async function readAgain<T>(read: () => Promise<T>, waitsMs = WAITS_MS): Promise<T> {
  const givesUpAt = performance.now() + waitsMs;
  for (;;) {
    try {
      return await read();
    } catch (error) {
      const isAway = storeTrouble(error) === 'away' && !(error instanceof MongoAPIError);
      if (!isAway || performance.now() + PAUSE_MS > givesUpAt) throw error;
      await sleep(PAUSE_MS);
    }
  }
}
