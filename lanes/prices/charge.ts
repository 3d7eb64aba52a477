import type { LaneOutcome } from '../../core/lane-port.ts';

/**
 * What an attempt counts as spent, in millionths of a dollar. What is known is taken as it is; where the upstream saw the request
 * and nothing says that it was refused, it may have been paid for, and then all that was held counts.
 * @param heldMicros the most that it may have cost
 * @param costMicros what its answer cost; null where price or usage is unknown
 */
export function chargeOf(outcome: LaneOutcome, heldMicros: number, costMicros: number | null): number {
  if (outcome.ok) return costMicros ?? heldMicros;
  const { reachedUpstream, upstreamStatus, class: failureClass, mayBeBilled = false } = outcome.failure;
  // An HTTP error, or a refusal in words, is told before anything is made, and is not billed.
  const isRefused = upstreamStatus !== undefined && upstreamStatus >= 400;
  if (!reachedUpstream || isRefused || (failureClass === 'caller_fault' && !mayBeBilled)) return 0;
  return heldMicros;
}
