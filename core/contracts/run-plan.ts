import { chooseLane, outageAfter } from './choose-lane.ts';
import {
  comebackAfter,
  comebackOfAll,
  nextLookAfter,
  openAgain,
  type Comeback,
  type LanesOut,
  type LaneWait,
} from './lane-wait.ts';
import type { ServeResult } from './completion.ts';
import { decide } from './decide.ts';
import type { AttemptFailure, AttemptRecord } from './failure.ts';
import type { PlannedLane } from './lane.ts';
import { isPassing, whatToTell } from './what-to-tell.ts';

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
  /** Lanes that are out for a moment and not by a window, by what was learnt last. */
  const passing = new Set(plan.filter(({ backsOff }) => backsOff === true).map(({ laneId }) => laneId));
  const note = (laneId: string, isPause: boolean): unknown => (isPause ? passing.add(laneId) : passing.delete(laneId));
  const triesOn = new Map<string, number>();
  const comebacks = new Map<string, Comeback>();
  const timesBack = new Map<string, number>();
  /** What each lane said last, in the order in which they were tried. */
  const failures = new Map<string, AttemptFailure>();

  for (;;) {
    const startsAt = now();
    const lane = startsAt < deadlineAt ? chooseLane(plan, usedUp, outages, startsAt) : undefined;
    if (lane === undefined) {
      if (wait === undefined) break;
      const allComeBack = wait.triesAllAgain?.() === true;
      const lanes = (): LanesOut => ({
        plan,
        usedUp,
        outages,
        comebacks: allComeBack ? comebackOfAll(outages) : comebacks,
      });
      const lookAfterMs = nextLookAfter(lanes(), wait, startsAt);
      if (lookAfterMs === undefined) break;
      await pause(lookAfterMs);
      for (const [laneId, { unavailableUntil, backsOff }] of await wait.look()) {
        outages.set(laneId, unavailableUntil);
        // That a lane is busy is not in the database: one that is open there may be out for a moment all the same.
        if (backsOff === true) passing.add(laneId);
        else if (unavailableUntil > now()) passing.delete(laneId);
      }
      for (const laneId of openAgain(lanes(), now())) {
        usedUp.delete(laneId);
        triesOn.delete(laneId);
        comebacks.delete(laneId);
        timesBack.set(laneId, (timesBack.get(laneId) ?? 0) + 1);
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
    note(lane.laneId, isPassing(known ?? failure));
    const tries = (triesOn.get(lane.laneId) ?? 0) + 1;
    triesOn.set(lane.laneId, tries);
    const decision = decide({ failure, triesOnLane: tries, now: now() });
    if (decision.act === 'fail') break;
    if (decision.act === 'next') {
      usedUp.add(lane.laneId);
      const outage = outageAfter(failure, now());
      if (outage !== undefined) outages.set(lane.laneId, outage);
      const comeback = comebackAfter(failure, timesBack.get(lane.laneId) ?? 0, now());
      if (comeback !== undefined) comebacks.set(lane.laneId, comeback);
    } else if (decision.afterMs > 0) {
      await pause(decision.afterMs);
    }
  }
  const told = whatToTell({ plan, failures, outages, passing }, now());
  return { answered: false, attempts, ...(told === undefined ? {} : { told }) };
}
