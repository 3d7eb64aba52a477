import type { Clock } from '../../core/clock.ts';
import type { AttemptFailure } from '../../core/contracts/failure.ts';
import type { LaneHold, LaneKind, LaneState } from '../../core/contracts/lane.ts';
import type { Logger } from '../../core/log.ts';
import { laneEffect, NO_FAILURES, type FailureMemory } from './lane-effect.ts';
import { isBackingOff, returnOf } from './plan-lanes.ts';
import { reservedUntil, type ReserveView } from './weekly-reserve.ts';
import type { HostedLane } from './hosted-lane.ts';

/** A lane's state as this process knows it: from the database, and ahead of it by what the lane's own attempts say. */
export interface LaneHealth extends Pick<HostedLane, 'availability' | 'reportFailure' | 'reportAnswer'> {
  /** Takes in what the database says. */
  refresh(doc: HealthDoc): void;
  /** Changes the state here at once, and in the database before it resolves. */
  change(to: LaneState, patch?: StatePatch): Promise<void>;
  readonly state: LaneState;
  /** True when a pause is over and nothing has been answered since: one request should go ahead of the others. */
  needsProbe(): boolean;
  /** Unix milliseconds of the last change of state that is known here. */
  readonly since: number;
}

/** What goes with a change of state. */
interface StatePatch {
  readonly why?: string | null;
  readonly until?: number | null;
  /** Of cooling: no window is used up. */
  readonly backsOff?: boolean;
}

/** What the database says of a lane's state. */
interface HealthDoc extends ReserveView {
  readonly state: LaneState;
  readonly until: number | null;
  readonly backsOff?: boolean;
  readonly why: string | null;
  readonly stateChangedAt: number;
  readonly hold: LaneHold;
}

/** Why a lane that its owner holds takes nothing. */
const HELD: Record<Exclude<LaneHold, 'none'>, string> = {
  paused: 'paused by its owner',
  draining: 'its owner drains it',
  removing: 'its owner removes it',
};

interface LaneHealthDeps {
  readonly laneId: string;
  readonly kind: LaneKind;
  readonly lanes: {
    /** Resolves with null where there is no way from the state that is stored. */
    transition(laneId: string, to: LaneState, at: number, patch?: StatePatch): Promise<unknown>;
  };
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly log: Pick<Logger, 'warn'>;
}

export function createLaneHealth(
  { laneId, kind, lanes, clock, random, log }: LaneHealthDeps,
  doc: HealthDoc,
): LaneHealth {
  let { state, until, backsOff = false, why, stateChangedAt, hold } = doc;
  let reserve: ReserveView = doc;
  let memory: FailureMemory = NO_FAILURES;
  let changing = 0;

  const change: LaneHealth['change'] = async (to, patch = {}) => {
    const at = clock.now();
    ({ state, until, backsOff, why, stateChangedAt } = {
      state: to,
      until: patch.until ?? null,
      backsOff: patch.backsOff ?? false,
      why: patch.why ?? null,
      stateChangedAt: at,
    });
    changing += 1;
    try {
      const stored = await lanes.transition(laneId, to, at, patch);
      // Refused: the owner, or another process, has changed it. What the database says is taken in at the next look.
      if (stored === null && stateChangedAt === at) stateChangedAt = 0;
    } finally {
      changing -= 1;
    }
  };

  /** What an attempt says of the lane must never cost the attempt's outcome: while the database is away it holds here alone. */
  const report = async (run: () => Promise<void>): Promise<void> => {
    try {
      await run();
    } catch (error) {
      log.warn({ err: error, laneId, state }, "a lane's change of state could not be stored");
    }
  };

  /** An attempt that began before an outage must not shorten it. */
  const isOutUntilLater = (end: number | null): boolean =>
    end !== null && (state === 'cooling' || state === 'unhealthy') && until !== null && until >= end;

  const isPauseOver = (): boolean =>
    (state === 'cooling' || state === 'unhealthy') && (until === null || until <= clock.now());

  return {
    get state() {
      return state;
    },
    get since() {
      return stateChangedAt;
    },
    needsProbe: isPauseOver,
    refresh(stored) {
      // What the owner wants is theirs alone: nothing here is ever ahead of it.
      ({ hold } = stored);
      reserve = stored;
      // What was read before a change of our own must not undo it.
      if (changing > 0 || stored.stateChangedAt < stateChangedAt) return;
      ({ state, until, backsOff = false, why, stateChangedAt } = stored);
    },
    change,
    availability(priority = 'interactive') {
      if (hold !== 'none') return { open: false, why: HELD[hold] };
      const now = clock.now();
      const returnsAt = returnOf({ state, until }, now);
      const keptUntil = priority !== 'interactive' ? reservedUntil(reserve, now) : 0;
      if (returnsAt !== undefined && keptUntil > returnsAt) {
        return { open: false, until: keptUntil, why: 'what is left of the week is kept for interactive requests' };
      }
      if (returnsAt === 0) return { open: true };
      const reason = why ?? `the lane is ${state}`;
      if (returnsAt === undefined) return { open: false, why: reason };
      return {
        open: false,
        until: returnsAt,
        why: reason,
        ...(isBackingOff({ state, backsOff }) ? { backsOff: true } : {}),
      };
    },
    async reportFailure(failure: AttemptFailure) {
      const effect = laneEffect(kind, failure, memory, clock.now(), random());
      ({ memory } = effect);
      const changed = effect.change;
      if (changed === undefined || isOutUntilLater(changed.until)) return;
      await report(() => change(changed.to, changed));
    },
    async reportAnswer() {
      memory = NO_FAILURES;
      // The first answer after a pause is the probe that opens the lane again.
      if (isPauseOver()) {
        await report(() => change('ready'));
      }
    },
  };
}
