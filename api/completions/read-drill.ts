import { DRILL_SIGNALS, type Drill, type DrillSignal } from '../../core/contracts/drill.ts';
import type { LaneRef } from '../../core/contracts/lane.ts';
import { ApiError } from '../../core/errors.ts';

/** A drill as its owner wrote it. */
export interface DrillWish {
  readonly signal: DrillSignal;
  /** Alias or id of a lane. */
  readonly lane?: string;
}

interface DrillRights {
  /** The owner has enabled drills. */
  readonly enabled: boolean;
  /** The request's key is an admin's. */
  readonly admin: boolean;
}

const PARAM = { param: 'x-flatlane-drill' };

/**
 * Reads `x-flatlane-drill`: `usage_limit`, or `usage_limit@home` for the attempts on one lane.
 * @throws ApiError while drills are off, for a key that is no admin's, and for a signal that is not known
 */
export function readDrill(
  header: string | readonly string[] | undefined,
  { enabled, admin }: DrillRights,
): DrillWish | undefined {
  if (header === undefined) return undefined;
  if (!enabled) {
    throw new ApiError(
      'invalid_value',
      "Drills are off. The owner enables 'x-flatlane-drill' with FLATLANE_DRILLS=true.",
      PARAM,
    );
  }
  if (!admin) throw new ApiError('insufficient_permissions', 'A drill needs an admin key.', PARAM);
  const [name, lane, ...rest] = String(header).split('@');
  const signal = DRILL_SIGNALS.find((known) => known === name);
  if (signal === undefined || lane === '' || rest.length > 0) {
    const known = DRILL_SIGNALS.join(', ');
    throw new ApiError('invalid_value', `'x-flatlane-drill' is a signal, or signal@lane. Signals: ${known}.`, PARAM);
  }
  return lane === undefined ? { signal } : { signal, lane };
}

/**
 * The drill of a request over the lanes of its plan.
 * @throws ApiError when the lane that the drill names is none of them: nothing would be played
 */
export function placeDrill(wish: DrillWish | undefined, lanes: readonly LaneRef[]): Drill | undefined {
  if (wish === undefined) return undefined;
  const { signal, lane: named } = wish;
  if (named === undefined) return { signal };
  const lane = lanes.find(({ alias }) => alias === named) ?? lanes.find(({ laneId }) => laneId === named);
  if (lane === undefined) {
    const there = lanes.map(({ alias }) => alias).join(', ');
    throw new ApiError('invalid_value', `The drill's lane '${named}' is none of this request's: ${there}.`, PARAM);
  }
  return { signal, laneId: lane.laneId };
}
