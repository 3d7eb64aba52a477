import { createHash } from 'node:crypto';

/** A lane of a rung that several lanes share, as it stands now. */
export interface SharingLane {
  readonly laneId: string;
  /** Its part of the requests beside the other weights of its rung; null where its owner gave none to any of them. */
  readonly weight: number | null;
  /** Requests under way on it, as far as this process knows. */
  readonly inFlight: number;
  /** Requests that it takes at a time. */
  readonly concurrency: number;
  /** False while it is out. */
  readonly open: boolean;
}

/** By what a rung is shared. */
export interface ShareKey {
  /** The same seed gives the same order: the conversation's, else something of the request's own. */
  readonly seed: string;
  /** True when the seed is a conversation's, whose prompt the lane that served it before may have cached. */
  readonly sticky: boolean;
}

/**
 * How much fuller than the emptiest lane of its rung, as a share of its slots, a lane may be and still keep its turn. Half: a
 * cached prompt is worth a few requests in front, and not a queue.
 */
const FULLER_BY = 0.5;

/**
 * The order in which the lanes of one rung are tried. Pure.
 *
 * Each lane has a place by rendezvous hashing: the lane of the least `-ln(u) / weight`, where `u` comes from seed and lane
 * alone, is first. So a lane is first for its weight's part of all seeds, a seed keeps its order without any memory, and a
 * lane that comes or goes moves no conversation but its own. Lanes that are much fuller than the emptiest one go behind;
 * those that are out go last. Without weights and without a conversation the least busy lane is first, and the hash decides
 * between equals.
 */
export function shareOrder<Lane extends SharingLane>(lanes: readonly Lane[], { seed, sticky }: ShareKey): Lane[] {
  const emptiest = Math.min(...lanes.filter(({ open }) => open).map(fullnessOf));
  const placed = lanes.map((lane) => {
    const fullness = fullnessOf(lane);
    const isTooFull = fullness > emptiest + FULLER_BY || (fullness >= 1 && emptiest < 1);
    const isByLoad = lane.weight === null && !sticky;
    return {
      lane,
      tier: !lane.open ? 2 : isTooFull ? 1 : 0,
      load: isByLoad ? fullness : 0,
      place: placeOf(seed, lane),
    };
  });
  return placed
    .sort((left, right) => left.tier - right.tier || left.load - right.load || left.place - right.place)
    .map(({ lane }) => lane);
}

/** 0: nothing under way; 1: every slot taken; more while requests wait. */
function fullnessOf({ inFlight, concurrency }: SharingLane): number {
  return inFlight / concurrency;
}

/** 48 bits of a hash as a number between 0 and 1, neither included, and from it an exponential wait at the lane's weight. */
function placeOf(seed: string, { laneId, weight }: SharingLane): number {
  const bits = createHash('sha256').update(`${seed}\n${laneId}`).digest().readUIntBE(0, 6);
  return -Math.log((bits + 0.5) / 2 ** 48) / (weight ?? 1);
}
