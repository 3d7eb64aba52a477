import type { PlannedLane } from './lane.ts';
import { LOOK_WHILE_WAITING_MS } from './timings.ts';

/** How the database has a lane now. */
export type LaneLook = Pick<PlannedLane, 'unavailableUntil' | 'backsOff'>;

/** How a request waits for a lane while all of its lanes are out. */
export interface LaneWait {
  /** Unix milliseconds. */
  readonly until: number;
  /** The lanes as the database has them now, by lane id. */
  readonly look: () => Promise<ReadonlyMap<string, LaneLook>>;
}

/** What a request knows of its lanes. */
export interface LanesOut {
  readonly plan: readonly PlannedLane[];
  /** Lanes that have failed it; those among them that are out may serve it when they are back. */
  readonly usedUp: ReadonlySet<string>;
  /** Unix milliseconds until which a lane is out, by lane id. */
  readonly outages: ReadonlyMap<string, number>;
}

/** A timer of no length would make a circle of looks without a pause. */
const SHORTEST_PAUSE_MS = 250;

/**
 * Milliseconds until the lanes are looked at again; undefined when the wait is over, or when no lane will serve this request
 * however long it waits. A lane may be back long before the time that is known, so the looks have an upper bound.
 */
export function nextLookAfter(lanes: LanesOut, wait: LaneWait | undefined, now: number): number | undefined {
  if (wait === undefined || now >= wait.until) return undefined;
  const returns = lanes.plan.filter((lane) => mayReturn(lane, lanes)).map((lane) => returnOf(lane, lanes));
  if (returns.length === 0) return undefined;
  const soonestMs = Math.max(SHORTEST_PAUSE_MS, Math.min(...returns) - now);
  return Math.min(soonestMs, LOOK_WHILE_WAITING_MS, wait.until - now);
}

/** The lanes that failed a request because they were out, and are back. */
export function openAgain(lanes: LanesOut, now: number): string[] {
  return lanes.plan
    .filter((lane) => lanes.usedUp.has(lane.laneId) && mayReturn(lane, lanes) && returnOf(lane, lanes) <= now)
    .map((lane) => lane.laneId);
}

/** A lane without an outage that failed the request would fail it again: its model is missing, say. */
function mayReturn({ laneId }: PlannedLane, { usedUp, outages }: LanesOut): boolean {
  return !usedUp.has(laneId) || outages.has(laneId);
}

function returnOf(lane: PlannedLane, { outages }: LanesOut): number {
  return outages.get(lane.laneId) ?? lane.unavailableUntil;
}
