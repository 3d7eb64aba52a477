import type { Clock } from '../core/clock.ts';
import type { AttemptFailure } from '../core/contracts/failure.ts';
import type { LaneKind, LaneState } from '../core/contracts/lane.ts';
import type { Logger } from '../core/log.ts';
import { laneEffect, NO_FAILURES, type FailureMemory } from '../lanes/policy/lane-effect.ts';
import { returnOf } from '../lanes/policy/plan-lanes.ts';
import type { HostedLane } from '../activities/serve/hosted-lane.ts';
import type { LaneDoc, LaneStore } from '../store/lanes.ts';

/** A lane's state as this process knows it: from the database, and ahead of it by what the lane's own attempts say. */
export interface LaneHealth extends Pick<HostedLane, 'availability' | 'reportFailure' | 'reportAnswer'> {
  /** Takes in what the database says. */
  refresh(doc: Pick<LaneDoc, 'state' | 'until' | 'why' | 'stateChangedAt'>): void;
  /** Changes the state here at once, and in the database before it resolves. */
  change(to: LaneState, patch?: { why?: string | null; until?: number | null }): Promise<void>;
  readonly state: LaneState;
}

interface LaneHealthDeps {
  readonly laneId: string;
  readonly kind: LaneKind;
  readonly lanes: Pick<LaneStore, 'transition'>;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly log: Pick<Logger, 'warn'>;
}

export function createLaneHealth(
  { laneId, kind, lanes, clock, random, log }: LaneHealthDeps,
  doc: Pick<LaneDoc, 'state' | 'until' | 'why' | 'stateChangedAt'>,
): LaneHealth {
  let { state, until, why, stateChangedAt } = doc;
  let memory: FailureMemory = NO_FAILURES;
  let changing = 0;

  const change: LaneHealth['change'] = async (to, patch = {}) => {
    const at = clock.now();
    ({ state, until, why, stateChangedAt } = {
      state: to,
      until: patch.until ?? null,
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

  return {
    get state() {
      return state;
    },
    refresh(stored) {
      // What was read before a change of our own must not undo it.
      if (changing > 0 || stored.stateChangedAt < stateChangedAt) return;
      ({ state, until, why, stateChangedAt } = stored);
    },
    change,
    availability() {
      const now = clock.now();
      const returnsAt = returnOf({ state, until }, now);
      if (returnsAt === 0) return { open: true };
      const reason = why ?? `the lane is ${state}`;
      return returnsAt === undefined ? { open: false, why: reason } : { open: false, until: returnsAt, why: reason };
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
      if ((state === 'cooling' || state === 'unhealthy') && (until === null || until <= clock.now())) {
        await report(() => change('ready'));
      }
    },
  };
}
