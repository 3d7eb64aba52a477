import { outageOf } from './choose-lane.ts';
import type { AttemptFailure } from './failure.ts';
import type { PlannedLane } from './lane.ts';
import { isLasting, tellingFailure } from './telling-failure.ts';

/** What a request has learnt of its lanes. */
interface Learnt {
  readonly plan: readonly PlannedLane[];
  /** What each lane said last, in the order in which they were tried. */
  readonly failures: ReadonlyMap<string, AttemptFailure>;
  /** Unix milliseconds until which a lane is out, by lane id. */
  readonly outages: ReadonlyMap<string, number>;
  /** Lanes that are out for a moment, and not by a window. */
  readonly passing: ReadonlySet<string>;
}

/**
 * What the caller is told of a request that no lane has answered, with the reset where every lane that could is out; undefined
 * where the lane's own refusal is the answer, or nobody is left. Pure.
 */
export function whatToTell(
  { plan, failures, outages, passing }: Learnt,
  now: number,
): { failure: AttemptFailure; resetsAt?: number } | undefined {
  const all = [...failures.values()];
  const last = all.at(-1);
  if (last?.class === 'caller_fault' || last?.class === 'cancelled') return undefined;
  // Lanes that can't do what is asked have no part in when it can be done.
  const able = plan.filter(({ laneId }) => !isLasting(failures.get(laneId)?.class ?? 'lane_unavailable'));
  const returns = able.map((lane) => outageOf(lane, outages)).filter((until) => until > now);
  const said = last?.answerStarted === true ? last : tellingFailure(all, (failure) => failure.class);
  // A lane that was out, and so was not asked, may do what those that were asked can't.
  const telling = said === undefined || (isLasting(said.class) && returns.length > 0) ? NOTHING_FREE : said;
  if (telling.class === 'window_exhausted' || telling.class === 'lane_unavailable') {
    const pauses = able
      .filter(({ laneId }) => passing.has(laneId))
      .map((lane) => pauseOf(failures.get(lane.laneId), outageOf(lane, outages)))
      .toSorted((one, other) => returnOf(one) - returnOf(other));
    // One that is out for a moment says more than windows that open after it.
    const [first] = pauses;
    if (first !== undefined && returnOf(first) <= Math.min(...returns)) return { failure: first };
  }
  return {
    failure: telling,
    ...(able.length > 0 && returns.length === able.length ? { resetsAt: Math.min(...returns) } : {}),
  };
}

/** Whether a lane that says so is out for a moment, and has no window to wait for: busy, without a worker, or pausing. */
export function isPassing(failure: AttemptFailure): boolean {
  if (failure.class === 'rate_limited' || failure.class === 'overloaded') return true;
  return failure.class === 'lane_unavailable' && (failure.unavailableUntil === undefined || failure.backsOff === true);
}

/** @param until Unix milliseconds by what was learnt last: others may have made the pause longer */
function pauseOf(failure: AttemptFailure | undefined, until: number): AttemptFailure {
  if (failure === undefined || !isPassing(failure)) return { ...NOTHING_FREE, unavailableUntil: until, backsOff: true };
  const { unavailableUntil } = failure;
  return unavailableUntil === undefined ? failure : { ...failure, unavailableUntil: Math.max(unavailableUntil, until) };
}

/** One that is busy may be free at once. */
function returnOf({ unavailableUntil = 0 }: AttemptFailure): number {
  return unavailableUntil;
}

const NOTHING_FREE: AttemptFailure = {
  class: 'lane_unavailable',
  answerStarted: false,
  reachedUpstream: false,
  reason: 'no lane of the plan that can serve this was free before the deadline',
};
