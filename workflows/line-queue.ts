import { chooseLane, earliestReturn } from '../core/contracts/choose-lane.ts';
import {
  KEY_GROUP_LINES,
  KEY_GROUPS_IN_FLIGHT,
  PLAN_LINES_IN_FLIGHT,
  type CarriedLine,
} from '../core/contracts/batch.ts';
import type { PlannedLane } from '../core/contracts/lane.ts';

/** A line that waits, with the lanes that it has used up. */
export interface WaitingLine extends CarriedLine {
  readonly usedUp: ReadonlySet<string>;
  /** Tries in a row on the lane that it was tried on last. */
  readonly triesOn: ReadonlyMap<string, number>;
}

/** Lines of one model that go to one lane in one activity. */
export interface LineGroup {
  readonly lane: PlannedLane;
  readonly lines: readonly WaitingLine[];
}

/** What a chunk knows while it runs. Mutable, and only ever touched between awaits. */
export interface ChunkState {
  readonly waiting: WaitingLine[];
  /** Lanes by model, as planned last. */
  readonly plans: Map<string, readonly PlannedLane[]>;
  /** Unix milliseconds until which a lane is left alone. */
  readonly outages: Map<string, number>;
  planLinesInFlight: number;
  keyGroupsInFlight: number;
}

/**
 * Takes the next lines that may go out now: one line for a plan lane, up to a group of one model for a key lane.
 * Undefined when the limits are reached or no waiting line has a lane that is open.
 */
export function takeGroup(state: ChunkState, now: number): LineGroup | undefined {
  for (const [index, line] of state.waiting.entries()) {
    const lane = laneOf(state, line, now);
    if (lane === undefined || !hasRoom(state, lane)) continue;
    const limit = lane.kind === 'plan' ? 1 : KEY_GROUP_LINES;
    const lines = [line];
    for (let at = index + 1; at < state.waiting.length && lines.length < limit; at += 1) {
      const other = state.waiting[at];
      if (other !== undefined && other.model === line.model && laneOf(state, other, now)?.laneId === lane.laneId) {
        lines.push(other);
      }
    }
    const taken = new Set(lines);
    state.waiting.splice(0, state.waiting.length, ...state.waiting.filter((candidate) => !taken.has(candidate)));
    return { lane, lines };
  }
  return undefined;
}

/** Takes out the lines for which no lane of their plan is left, now or later. */
export function takeHopeless(state: ChunkState, now: number): WaitingLine[] {
  const isHopeless = (line: WaitingLine): boolean => {
    const plan = state.plans.get(line.model) ?? [];
    return plan.length > 0 && earliestReturn(plan, line.usedUp, state.outages, now) === undefined;
  };
  const hopeless = state.waiting.filter(isHopeless);
  if (hopeless.length > 0) {
    state.waiting.splice(0, state.waiting.length, ...state.waiting.filter((line) => !isHopeless(line)));
  }
  return hopeless;
}

/** When the first lane that a waiting line may use comes back; undefined when none is known. Unix milliseconds. */
export function nextReturn(state: ChunkState, now: number): number | undefined {
  const returns = state.waiting.flatMap((line) => {
    const at = earliestReturn(state.plans.get(line.model) ?? [], line.usedUp, state.outages, now);
    return at === undefined ? [] : [at];
  });
  return returns.length === 0 ? undefined : Math.min(...returns);
}

function laneOf(state: ChunkState, line: WaitingLine, now: number): PlannedLane | undefined {
  return chooseLane(state.plans.get(line.model) ?? [], line.usedUp, state.outages, now);
}

function hasRoom(state: ChunkState, lane: PlannedLane): boolean {
  return lane.kind === 'plan'
    ? state.planLinesInFlight < PLAN_LINES_IN_FLIGHT
    : state.keyGroupsInFlight < KEY_GROUPS_IN_FLIGHT;
}
