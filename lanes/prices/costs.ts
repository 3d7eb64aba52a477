import type { AttemptRecord } from '../../core/contracts/failure.ts';
import type { LaneRef } from '../../core/contracts/lane.ts';
import type { TokenUsage } from '../../core/lane-port.ts';
import { costsNoMore } from '../../core/service-tier.ts';

/** Millionths of a dollar for a model's tokens; null where price or usage is unknown. */
export type CostMicros = (model: string, usage: TokenUsage | null) => number | null;

export interface Costs {
  /** What was paid. */
  readonly costMicros: number | null;
  /** What the meter would have taken. */
  readonly meterMicros: number | null;
}

/** Of an attempt that no upstream answered. */
export const NO_COSTS: Costs = { costMicros: 0, meterMicros: null };

/** Of attempts that all failed. One that was cut off may have cost something, and unknown is not 0. */
export function costsOfFailures(attempts: readonly AttemptRecord[]): Costs {
  return attempts.some(({ costUnknown }) => costUnknown === true) ? { costMicros: null, meterMicros: null } : NO_COSTS;
}

/** A plan lane costs nothing extra; a key lane costs what the meter takes. */
export function costsOf(costMicros: CostMicros, lane: LaneRef, usage: TokenUsage | null): Costs {
  const meterMicros = costMicros(lane.model, usage);
  return { costMicros: lane.kind === 'plan' ? 0 : meterMicros, meterMicros };
}

/**
 * What an answer counts as against a spend limit, in millionths of a dollar: what it cost, else what it cost at most by its tokens;
 * null where not even that is known.
 */
export function countedMicros(costMicros: CostMicros, lane: LaneRef, usage: TokenUsage | null): number | null {
  const known = costsOf(costMicros, lane, usage).costMicros;
  if (known !== null || usage === null || !costsNoMore(usage.serviceTier)) return known;
  const { serviceTier: _, ...atListedPrice } = usage;
  return costsOf(costMicros, lane, atListedPrice).costMicros;
}
