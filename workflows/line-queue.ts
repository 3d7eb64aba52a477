import { chooseLane, earliestReturn, outageOf } from '../core/contracts/choose-lane.ts';
import {
  ATTEMPTS_KEPT,
  GROUP_LINES,
  GROUPS_IN_FLIGHT,
  PAUSES_BEFORE_GIVING_UP_MS,
  type CarriedLine,
} from '../core/contracts/batch.ts';
import type { BatchPriority } from '../core/contracts/batch-control.ts';
import type { AttemptRecord, FailureClass } from '../core/contracts/failure.ts';
import type { PlannedLane } from '../core/contracts/lane.ts';
import { tellingFailure } from '../core/contracts/telling-failure.ts';

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
  /** Lines that were tried and have no outcome, by number. */
  readonly tried: Map<number, CarriedLine>;
  /** Lines whose attempts were cut off when the chunk was cancelled, with these, by number. */
  readonly cut: Map<number, CarriedLine>;
  /** Lanes by model, as planned last. */
  readonly plans: Map<string, readonly PlannedLane[]>;
  /** Unix milliseconds until which a lane is left alone. */
  readonly outages: Map<string, number>;
  /** Groups that are out, by lane id. */
  readonly groupsInFlight: Map<string, number>;
  /** Nothing new is sent out. */
  paused: boolean;
  priority: BatchPriority;
  /** Counts the changes of the batch's control. */
  wakes: number;
  /** A lane has said that its window is over, and nobody has looked since when it comes back. */
  windowOver: boolean;
}

/**
 * Takes the next lines that may go out now: up to a group of one model for one lane.
 * Undefined when the limits are reached or no waiting line has a lane that is open.
 */
export function takeGroup(state: ChunkState, now: number): LineGroup | undefined {
  for (const [index, line] of state.waiting.entries()) {
    const lane = laneOf(state, line, now);
    if (lane === undefined) continue;
    const limit = GROUP_LINES[lane.kind];
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
    const plan = state.plans.get(line.model) ?? [];
    const isHeld = waitsForPlan(plan, line);
    return plan
      .filter(({ laneId }) => !line.usedUp.has(laneId))
      .map((lane) => Math.max(now, outageOf(lane, state.outages), isHeld ? (lane.heldUntil ?? 0) : 0));
  });
  return returns.length === 0 ? undefined : Math.min(...returns);
}

/** When the first lane that is out or held back comes in; undefined when every lane of the waiting lines is open. Unix milliseconds. */
export function firstReturn(state: ChunkState, now: number): number | undefined {
  const models = new Set(state.waiting.map(({ model }) => model));
  const returns = [...models]
    .flatMap((model) => state.plans.get(model) ?? [])
    .map((lane) => Math.max(outageOf(lane, state.outages), lane.heldUntil ?? 0))
    .filter((until) => until > now);
  return returns.length === 0 ? undefined : Math.min(...returns);
}

/**
 * The lane that a line takes now, if it has room. A lane that is held back for the plan serves lines that no plan lane is left
 * for; once it is held back no longer it serves also those that the plan lanes have no room for, or the deadline would pass.
 */
function laneOf(state: ChunkState, line: WaitingLine, now: number): PlannedLane | undefined {
  const plan = state.plans.get(line.model) ?? [];
  const allowed = waitsForPlan(plan, line) ? plan.filter(({ heldUntil = 0 }) => heldUntil <= now) : plan;
  const first = chooseLane(allowed, line.usedUp, state.outages, now);
  if (first === undefined || hasRoom(state, first)) return first;
  const released = allowed.filter((lane) => lane.heldUntil !== undefined && hasRoom(state, lane));
  return chooseLane(released, line.usedUp, state.outages, now);
}

/** True while a plan lane may still serve the line, now or later. */
function waitsForPlan(plan: readonly PlannedLane[], { usedUp }: WaitingLine): boolean {
  return plan.some(({ kind, laneId }) => kind === 'plan' && !usedUp.has(laneId));
}

function hasRoom(state: ChunkState, lane: PlannedLane): boolean {
  return (state.groupsInFlight.get(lane.laneId) ?? 0) < GROUPS_IN_FLIGHT[lane.kind];
}

/** Counts a group that goes out, or one that is over. */
export function countGroups({ groupsInFlight }: ChunkState, laneId: string, by: 1 | -1): void {
  groupsInFlight.set(laneId, (groupsInFlight.get(laneId) ?? 0) + by);
}

/** A lane that is unavailable is an attempt only where it lost its worker in the middle of one. */
const IN_PASSING: ReadonlySet<AttemptRecord['outcome']> = new Set<FailureClass>([
  'broken',
  'process_lost',
  'overloaded',
  'lane_unavailable',
]);

/**
 * How long a line that has used up its lanes is kept before it is tried on all of them again; undefined to give it up. One
 * lane that failed in passing is enough, whatever another one can't do.
 */
export function pauseOf(line: WaitingLine): number | undefined {
  const last = tellingFailure(line.attempts, ({ outcome }) => (outcome === 'answered' ? 'process_lost' : outcome));
  return last !== undefined && IN_PASSING.has(last.outcome) ? PAUSES_BEFORE_GIVING_UP_MS[line.pauses] : undefined;
}

/** A line as it is begun anew: every lane of its plan may serve it. */
export function afterPause(line: WaitingLine): WaitingLine {
  return { ...line, pauses: line.pauses + 1, usedUp: new Set(), triesOn: new Map() };
}

/** The number of a line's next attempt, over all lanes, from 1. */
export function nextAttempt({ attempts }: CarriedLine): number {
  return (attempts.at(-1)?.attempt ?? 0) + 1;
}

/** Attempts with one more, the oldest left out where there are too many. */
export function withAttempt(attempts: readonly AttemptRecord[], record: AttemptRecord): readonly AttemptRecord[] {
  return [...attempts, record].slice(-ATTEMPTS_KEPT);
}

/** Notes what was tried for a line: it must be known should the chunk be cancelled before the line has an outcome. */
export function noteTried(state: ChunkState, line: CarriedLine): void {
  if (line.attempts.length > 0) state.tried.set(line.line, line);
}

/** Lines for which there was no money have all their lanes again: the limit may be another one now. */
export function forgetSpentConsent(state: ChunkState): void {
  const lines = state.waiting.map((line) =>
    line.attempts.at(-1)?.outcome === 'consent_spent' ? { ...line, usedUp: new Set<string>() } : line,
  );
  state.waiting.splice(0, state.waiting.length, ...lines);
}
