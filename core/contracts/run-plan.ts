import { chooseLane, outageAfter } from './choose-lane.ts';
import { nextLookAfter, openAgain, type LaneWait } from './lane-wait.ts';
import type { ServeResult } from './completion.ts';
import { decide } from './decide.ts';
import type { AttemptFailure, AttemptRecord } from './failure.ts';
import type { PlannedLane } from './lane.ts';
import { isLasting, tellingFailure } from './telling-failure.ts';

export interface PlanRun {
  readonly plan: readonly PlannedLane[];
  /** Unix milliseconds after which nobody waits for the answer. */
  readonly deadlineAt: number;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds between two tries on one lane. */
  readonly pause: (ms: number) => Promise<void>;
  /** How the request waits while every lane is out; absent: not at all. */
  readonly wait?: LaneWait;
  /** One attempt on one lane, after those that came before. `isLastLane`: no other lane is open to the request. */
  readonly serve: (lane: PlannedLane, previous: readonly AttemptRecord[], isLastLane: boolean) => Promise<ServeResult>;
}

/** How a plan ended. `told` is absent when the lane's own refusal is the answer, or nobody is left to be told. */
export type PlanEnd =
  | { readonly answered: true; readonly laneId: string; readonly attempts: readonly AttemptRecord[] }
  | {
      readonly answered: false;
      readonly attempts: readonly AttemptRecord[];
      readonly told?: { readonly failure: AttemptFailure; readonly resetsAt?: number };
    };

/**
 * One interactive request down its plan of lanes, until one answers or none is left. The one place in which fallback
 * happens, for workflows and for the direct path alike. Deterministic in what it is given.
 */
export async function runPlan({ plan, deadlineAt, now, pause, serve, wait }: PlanRun): Promise<PlanEnd> {
  const attempts: AttemptRecord[] = [];
  const usedUp = new Set<string>();
  const outages = new Map<string, number>();
  const triesOn = new Map<string, number>();
  /** What each lane said last, in the order in which they were tried. */
  const failures = new Map<string, AttemptFailure>();

  for (;;) {
    const startsAt = now();
    const lane = startsAt < deadlineAt ? chooseLane(plan, usedUp, outages, startsAt) : undefined;
    if (lane === undefined) {
      const lookAfterMs = nextLookAfter({ plan, usedUp, outages }, wait, startsAt);
      if (wait === undefined || lookAfterMs === undefined) break;
      await pause(lookAfterMs);
      for (const [laneId, until] of await wait.look()) outages.set(laneId, until);
      for (const laneId of openAgain({ plan, usedUp, outages }, now())) {
        usedUp.delete(laneId);
        triesOn.delete(laneId);
      }
      continue;
    }
    const others = new Set(usedUp).add(lane.laneId);
    const isLastLane = chooseLane(plan, others, outages, startsAt) === undefined;
    const result = await serve(lane, attempts, isLastLane);
    attempts.push(result.record);
    if (result.ok) return { answered: true, laneId: lane.laneId, attempts };

    const { failure } = result;
    // That a lane is closed after a failure says less than the failure that closed it.
    const known = failure.class === 'lane_unavailable' ? failures.get(lane.laneId) : undefined;
    failures.delete(lane.laneId);
    failures.set(lane.laneId, known ?? failure);
    const tries = (triesOn.get(lane.laneId) ?? 0) + 1;
    triesOn.set(lane.laneId, tries);
    const decision = decide({ failure, triesOnLane: tries, now: now() });
    if (decision.act === 'fail') break;
    if (decision.act === 'next') {
      usedUp.add(lane.laneId);
      const outage = outageAfter(failure, now());
      if (outage !== undefined) outages.set(lane.laneId, outage);
    } else if (decision.afterMs > 0) {
      await pause(decision.afterMs);
    }
  }
  const told = whatToTell(plan, failures, outages, now());
  return { answered: false, attempts, ...(told === undefined ? {} : { told }) };
}

function whatToTell(
  plan: readonly PlannedLane[],
  failures: ReadonlyMap<string, AttemptFailure>,
  outages: ReadonlyMap<string, number>,
  now: number,
): { failure: AttemptFailure; resetsAt?: number } | undefined {
  const all = [...failures.values()];
  const last = all.at(-1);
  if (last?.class === 'caller_fault' || last?.class === 'cancelled') return undefined;
  // Lanes that can't do what is asked have no part in when it can be done.
  const able = plan.filter(({ laneId }) => !isLasting(failures.get(laneId)?.class ?? 'lane_unavailable'));
  const returns = able.map((lane) => outages.get(lane.laneId) ?? lane.unavailableUntil).filter((until) => until > now);
  const telling = last?.answerStarted === true ? last : tellingFailure(all, (failure) => failure.class);
  // One that is out for a moment only says more than windows: it is back before any of those.
  const passing = able.map(({ laneId }) => failures.get(laneId)).find(isPassing);
  if (passing !== undefined && (telling?.class === 'window_exhausted' || telling?.class === 'lane_unavailable')) {
    return { failure: passing };
  }
  return {
    // A lane that was out, and so was not asked, may do what those that were asked can't.
    failure: telling === undefined || (isLasting(telling.class) && returns.length > 0) ? NOTHING_FREE : telling,
    ...(able.length > 0 && returns.length === able.length ? { resetsAt: Math.min(...returns) } : {}),
  };
}

/** Busy, without a worker, or pausing after failures: what has no window to wait for. */
function isPassing(failure: AttemptFailure | undefined): failure is AttemptFailure {
  if (failure?.class !== 'lane_unavailable') return false;
  return failure.unavailableUntil === undefined || failure.backsOff === true;
}

const NOTHING_FREE: AttemptFailure = {
  class: 'lane_unavailable',
  answerStarted: false,
  reachedUpstream: false,
  reason: 'no lane of the plan that can serve this was free before the deadline',
};
