import { Context } from '@temporalio/activity';
import { LANE_HEARTBEAT_INTERVAL_MS } from '../../core/contracts/timings.ts';

/**
 * Runs something while this activity heartbeats, so that a dead worker is noticed and a cancellation arrives.
 * @param details what the heartbeats say to the next delivery
 */
export async function withHeartbeat<T>(run: () => Promise<T>, details: () => unknown = () => undefined): Promise<T> {
  const context = Context.current();
  const beat = (): void => context.heartbeat(details());
  beat();
  const timer = setInterval(beat, LANE_HEARTBEAT_INTERVAL_MS);
  try {
    return await run();
  } finally {
    clearInterval(timer);
  }
}
