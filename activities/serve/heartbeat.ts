import { Context } from '@temporalio/activity';
import { LANE_HEARTBEAT_INTERVAL_MS } from '../../core/contracts/timings.ts';

/** Runs something while this activity heartbeats, so that a dead worker is noticed and a cancellation arrives. */
export async function withHeartbeat<T>(run: () => Promise<T>): Promise<T> {
  const context = Context.current();
  context.heartbeat();
  const timer = setInterval(() => context.heartbeat(), LANE_HEARTBEAT_INTERVAL_MS);
  try {
    return await run();
  } finally {
    clearInterval(timer);
  }
}
