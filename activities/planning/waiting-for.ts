import type { PlannedLane } from '../../core/contracts/lane.ts';
import { REPLAN_AT_MOST_EVERY_MS } from '../../core/contracts/timings.ts';
import type { BatchWait } from '../../store/batches.ts';

/** Until when lines with such a plan wait, and for what; null when a lane is open to them. Pure. */
export function waitingFor(lanes: readonly PlannedLane[], closed: readonly string[], now: number): BatchWait | null {
  const returnOf = ({ unavailableUntil, heldUntil = 0 }: PlannedLane): number => Math.max(unavailableUntil, heldUntil);
  if (lanes.some((lane) => returnOf(lane) <= now)) return null;
  if (lanes.length === 0) {
    const why = closed.length === 0 ? 'no lane may serve it' : `no lane is open: ${closed.join(', ')}`;
    return { until: now + REPLAN_AT_MOST_EVERY_MS, why };
  }
  const until = Math.min(...lanes.map(returnOf));
  const isHeld = lanes.some(({ heldUntil = 0, unavailableUntil }) => heldUntil > now && unavailableUntil <= now);
  if (!isHeld) {
    const pauses = lanes.some((lane) => returnOf(lane) === until && lane.backsOff === true);
    const why = pauses
      ? 'every lane is out; the first that comes back pauses after failures or a rate limit, or waits for its worker'
      : 'every lane is out until its window opens again';
    return { until, why };
  }
  return { until, why: 'the plan is out, and metered lanes are held back as long as the deadline allows' };
}

/** True when two notes say the same to a reader: the moment moves a little with each look. */
export function saysTheSame(left: BatchWait | null, right: BatchWait | null): boolean {
  if (left === null || right === null) return left === right;
  return left.why === right.why && Math.abs(left.until - right.until) < 1_000;
}
