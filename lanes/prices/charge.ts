import { isCostUnknown } from '../../core/contracts/failure.ts';
import type { LaneOutcome } from '../../core/lane-port.ts';

/**
 * What an attempt on a metered lane counts as spent, in millionths of a dollar. What is known is taken as it is; where the lane log
 * says that the cost is unknown, it may have been paid for, and then all that was held counts.
 * @param heldMicros the most that it may have cost
 * @param costMicros what its answer cost; null where price or usage is unknown
 */
export function chargeOf(outcome: LaneOutcome, heldMicros: number, costMicros: number | null): number {
  if (outcome.ok) return costMicros ?? heldMicros;
  return isCostUnknown('key', outcome.failure) ? heldMicros : 0;
}
