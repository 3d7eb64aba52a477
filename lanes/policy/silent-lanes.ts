import type { LaneKind } from '../../core/contracts/lane.ts';

/** What tells whether somebody serves a lane. */
interface BeatingLane {
  readonly _id: string;
  readonly kind: LaneKind;
  /** plan: the machine whose disk holds the account; null until a worker has taken it. */
  readonly hostId: string | null;
  /** plan: counted up every HOST_BEAT_MS by the worker that serves it. */
  readonly hostBeat?: number;
}

/** Says of a lane whether no worker serves it. */
export type MarkSilent = <Lane extends BeatingLane>(lane: Lane) => Lane & { readonly silent: boolean };

/** How often a worker counts up for the accounts that it serves. One small write. */
export const HOST_BEAT_MS = 10_000;

/** A worker that has left out four beats is gone, or its machine is off. A restart takes some seconds. */
const SILENT_AFTER_MS = 45_000;

/**
 * Tells which plan lanes no worker serves any more. A lane's state says nothing of that: the one who would change it is gone. What
 * counts is that the beat of a lane stands still before the eyes of this process, so the clocks of machines need not agree.
 * @param monotonicMs a clock that is never set
 */
export function createSilentLanes(monotonicMs: () => number): MarkSilent {
  const seen = new Map<string, { readonly beat: number | undefined; readonly at: number }>();
  return function markSilent(lane) {
    if (lane.kind !== 'plan' || lane.hostId === null) return { ...lane, silent: false };
    const now = monotonicMs();
    const before = seen.get(lane._id);
    if (before === undefined || before.beat !== lane.hostBeat) {
      seen.set(lane._id, { beat: lane.hostBeat, at: now });
      return { ...lane, silent: false };
    }
    return { ...lane, silent: now - before.at > SILENT_AFTER_MS };
  };
}
