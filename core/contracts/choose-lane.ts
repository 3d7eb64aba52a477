import type { AttemptFailure } from './failure.ts';
import type { PlannedLane } from './lane.ts';
import {
  HOLD_WITHOUT_RESET_MS,
  LANE_WITHOUT_WORKER_MS,
  LONGEST_WINDOW_MS,
  REPLAN_AT_LEAST_AFTER_MS,
} from './timings.ts';

/** Unix milliseconds until which a lane is left alone, by lane id: what a workflow has learnt since it planned. */
export type LaneOutages = ReadonlyMap<string, number>;

/** The first lane of the plan that takes requests now and that this request has not used up. */
export function chooseLane(
  plan: readonly PlannedLane[],
  usedUp: ReadonlySet<string>,
  outages: LaneOutages,
  now: number,
): PlannedLane | undefined {
  return plan.find((lane) => !usedUp.has(lane.laneId) && outageOf(lane, outages) <= now);
}

/**
 * When the earliest lane that may still serve comes back, or undefined if none is left for this request.
 * Unix milliseconds; not in the past of `now`.
 */
export function earliestReturn(
  plan: readonly PlannedLane[],
  usedUp: ReadonlySet<string>,
  outages: LaneOutages,
  now: number,
): number | undefined {
  const returns = plan.filter((lane) => !usedUp.has(lane.laneId)).map((lane) => Math.max(now, outageOf(lane, outages)));
  return returns.length === 0 ? undefined : Math.min(...returns);
}

/** Unix milliseconds until which a lane takes nothing, by what was learnt last. */
export function outageOf(lane: PlannedLane, outages: LaneOutages): number {
  return outages.get(lane.laneId) ?? lane.unavailableUntil;
}

/**
 * Whether a failure says something about the lane as a whole, and until when; undefined when it concerns the one request
 * alone. A known time is bounded to the longest window, an unknown one is a hold by class.
 */
export function outageAfter(failure: AttemptFailure, now: number): number | undefined {
  const bounded = (holdMs: number): number =>
    Math.min(failure.unavailableUntil ?? now + holdMs, now + LONGEST_WINDOW_MS);
  switch (failure.class) {
    case 'window_exhausted':
    case 'unauthorized':
      return bounded(HOLD_WITHOUT_RESET_MS);
    case 'rate_limited':
    case 'overloaded':
      return bounded(REPLAN_AT_LEAST_AFTER_MS);
    case 'lane_unavailable':
      return bounded(LANE_WITHOUT_WORKER_MS);
    case 'model_unavailable':
    case 'caller_fault':
    case 'broken':
    case 'process_lost':
    case 'unsupported':
    case 'consent_spent':
    case 'cancelled':
      return undefined;
  }
}
