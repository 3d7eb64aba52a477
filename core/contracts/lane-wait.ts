import { outageAfter } from './choose-lane.ts';
import type { AttemptFailure } from './failure.ts';
import type { PlannedLane } from './lane.ts';
import { LAST_LANE_SLOT_WAIT_MS, LOOK_WHILE_WAITING_MS } from './timings.ts';

/** How the database has a lane now. */
export type LaneLook = Pick<PlannedLane, 'unavailableUntil' | 'backsOff'>;

/** How a request waits for a lane while all of its lanes are out. */
export interface LaneWait {
  /** Unix milliseconds. */
  readonly until: number;
  /** The lanes as the database has them now, by lane id. */
  readonly look: () => Promise<ReadonlyMap<string, LaneLook>>;
  /** True in a run of an earlier version, which tries every lane again that a look has named, however it failed. */
  readonly triesAllAgain?: () => boolean;
}

/** When a lane that has failed a request may be tried for it again. */
export interface Comeback {
  /** Unix milliseconds. The lane may be out for longer. */
  readonly notBefore: number;
  /** It was out, so that it is worth waiting for; else it is tried along the way while another one is waited for. */
  readonly isAwaited: boolean;
}

/** What a request knows of its lanes. */
export interface LanesOut {
  readonly plan: readonly PlannedLane[];
  /** Lanes that have failed it. */
  readonly usedUp: ReadonlySet<string>;
  /** Unix milliseconds until which a lane is out, by lane id. */
  readonly outages: ReadonlyMap<string, number>;
  /** Those among the lanes that have failed it that it may go to again, by lane id. */
  readonly comebacks: ReadonlyMap<string, Comeback>;
}

/** A timer of no length would make a circle of looks without a pause. */
const SHORTEST_PAUSE_MS = 250;

/**
 * Pauses before a lane that broke is tried along the way, as often as a line of a batch is. Each try may be paid for, and says
 * nothing of how long the lane stays so.
 */
const PAUSES_OF_BROKEN_MS: readonly number[] = [5_000, 30_000];

/** The longest pause of a lane that is open whenever it is looked at, and out whenever it is tried: in an hour some thirty tries. */
const LONGEST_PAUSE_MS = LAST_LANE_SLOT_WAIT_MS;

/**
 * When a lane that fails a request now may be tried for it again; undefined when it would only fail it again: its model is missing, say.
 * The pauses get longer, because each attempt carries the records of all before it: short ones would fill the history.
 * @param before how often it has come back already
 */
export function comebackAfter(failure: AttemptFailure, before: number, now: number): Comeback | undefined {
  if (outageAfter(failure, now) !== undefined) {
    const pauseMs = before === 0 ? 0 : Math.min(LOOK_WHILE_WAITING_MS * 2 ** (before - 1), LONGEST_PAUSE_MS);
    return { notBefore: now + pauseMs, isAwaited: true };
  }
  const isBroken = failure.class === 'broken' || failure.class === 'process_lost';
  const pauseMs = isBroken ? PAUSES_OF_BROKEN_MS[before] : undefined;
  return pauseMs === undefined ? undefined : { notBefore: now + pauseMs, isAwaited: false };
}

/** Of a run that tries all lanes again of which it knows whether they are out. */
export function comebackOfAll(outages: ReadonlyMap<string, number>): ReadonlyMap<string, Comeback> {
  return new Map([...outages.keys()].map((laneId) => [laneId, { notBefore: 0, isAwaited: true }]));
}

/**
 * Milliseconds until the lanes are looked at again; undefined when the wait is over, or when no lane will serve this request
 * however long it waits. A lane may be back long before the time that is known, so the looks have an upper bound.
 */
export function nextLookAfter(lanes: LanesOut, wait: LaneWait, now: number): number | undefined {
  if (now >= wait.until || !lanes.plan.some((lane) => isAwaited(lane, lanes))) return undefined;
  const returns = lanes.plan.filter((lane) => mayReturn(lane, lanes)).map((lane) => returnOf(lane, lanes));
  const soonestMs = Math.max(SHORTEST_PAUSE_MS, Math.min(...returns) - now);
  return Math.min(soonestMs, LOOK_WHILE_WAITING_MS, wait.until - now);
}

/** The lanes that failed a request and may be tried again now. */
export function openAgain(lanes: LanesOut, now: number): string[] {
  return lanes.plan
    .filter((lane) => lanes.usedUp.has(lane.laneId) && mayReturn(lane, lanes) && returnOf(lane, lanes) <= now)
    .map((lane) => lane.laneId);
}

function mayReturn({ laneId }: PlannedLane, { usedUp, comebacks }: LanesOut): boolean {
  return !usedUp.has(laneId) || comebacks.has(laneId);
}

function isAwaited({ laneId }: PlannedLane, { usedUp, comebacks }: LanesOut): boolean {
  return !usedUp.has(laneId) || comebacks.get(laneId)?.isAwaited === true;
}

function returnOf(lane: PlannedLane, { outages, comebacks }: LanesOut): number {
  return Math.max(outages.get(lane.laneId) ?? lane.unavailableUntil, comebacks.get(lane.laneId)?.notBefore ?? 0);
}
