import { describe, expect, it } from 'vitest';
import { HOLD_IS_DEAD_AFTER_MS } from '../../../core/contracts/holds.ts';
import * as timings from '../../../core/contracts/timings.ts';

describe('the time limits', () => {
  it('stay in the order on which they depend', () => {
    expect(timings.ATTEMPT_DEADLINE_MS).toBeLessThan(timings.COMPLETION_DEADLINE_MS);
    expect(timings.LANE_HEARTBEAT_INTERVAL_MS * 3).toBeLessThanOrEqual(timings.LANE_HEARTBEAT_TIMEOUT_MS);
    expect(timings.LANE_HEARTBEAT_TIMEOUT_MS).toBeLessThan(timings.ATTEMPT_DEADLINE_MS);
    expect(timings.INTERACTIVE_SLOT_WAIT_MS).toBeLessThan(timings.COMPLETION_DEADLINE_MS);
    expect(timings.SAME_LANE_RETRY_MS).toBeLessThan(timings.SHORT_RETRY_AFTER_MS);
    expect(timings.REPLAN_AT_LEAST_AFTER_MS).toBeLessThan(timings.REPLAN_AT_MOST_EVERY_MS);
  });

  it('cut a group of lines off only when it hangs, and know by then whether its hold is dead', () => {
    const slowest = timings.LINE_WAIT_IN_WORKER_MS + timings.ATTEMPT_DEADLINE_MS;
    expect(slowest * 1.5).toBeLessThanOrEqual(timings.LINE_GROUP_LIMIT_MS);
    expect(timings.LINE_GROUP_LIMIT_MS * 2).toBeLessThanOrEqual(HOLD_IS_DEAD_AFTER_MS);
  });

  it('believe the end of a weekly window, and no end that is further away than a day more', () => {
    expect(timings.LONGEST_WINDOW_MS).toBe(8 * 24 * 3_600_000);
    expect(timings.HOLD_WITHOUT_RESET_MS).toBeLessThan(timings.LONGEST_WINDOW_MS);
  });
});
