import { setImmediate } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { withHeartbeat } from './heartbeat.ts';

/** The earlier deliveries of this activity, by their numbers, that ended with an error before they had sent anything. */
export function unsentDeliveries(): readonly number[] {
  const details: unknown = Context.current().info.heartbeatDetails;
  return Array.isArray(details) ? details.filter((delivery): delivery is number => typeof delivery === 'number') : [];
}

/**
 * Runs a delivery with signs of life, which carry to the next one which have sent nothing. Only a delivery that has come to its end can
 * say that of itself: one that dies, or whose last sign of life is lost, may have sent something.
 * @param run is given what it is to call before anything goes out
 */
export async function notingUnsent<T>(run: (onSent: () => void) => Promise<T>): Promise<T> {
  const context = Context.current();
  // Each sign of life takes the place of the one before, also of that of an earlier delivery.
  let unsent = unsentDeliveries();
  let isSent = false;
  const noteSent = (): void => void (isSent = true);
  return withHeartbeat(
    async () => {
      try {
        return await run(noteSent);
      } catch (error) {
        if (isSent) throw error;
        unsent = [...unsent, context.info.attempt];
        context.heartbeat(unsent);
        // Temporal's client sends the last sign of life along with the failure, however it spaces them out; but it must have it by then.
        await setImmediate();
        throw error;
      }
    },
    () => unsent,
  );
}
