import type { AttemptFailure } from './failure.ts';
import { SAME_LANE_RETRY_MS, SHORT_RETRY_AFTER_MS } from './timings.ts';

/**
 * What happens to a request after a failed attempt.
 * - again: the same lane, after a wait
 * - next: the next lane of the plan, now
 * - fail: no lane may serve it; the caller is told
 */
export type Decision =
  | { readonly act: 'again'; readonly afterMs: number }
  | { readonly act: 'next' }
  | { readonly act: 'fail' };

export interface DecisionContext {
  readonly failure: AttemptFailure;
  /** Attempts on this lane so far, the failed one included. */
  readonly triesOnLane: number;
  /** Unix milliseconds. */
  readonly now: number;
}

/** A lane that fails in passing gets one more try; a second failure in a row is the next lane's turn. */
const TRIES_ON_ONE_LANE = 2;

/**
 * The policy of fallback, as one table. Pure: the same answer on every replay.
 * Once a byte of an answer has reached the caller no lane may continue it, whatever the class.
 */
export function decide({ failure, triesOnLane, now }: DecisionContext): Decision {
  if (failure.answerStarted) return { act: 'fail' };
  const mayRetry = triesOnLane < TRIES_ON_ONE_LANE;
  switch (failure.class) {
    case 'caller_fault':
    case 'cancelled':
      return { act: 'fail' };
    case 'window_exhausted':
    case 'unauthorized':
    case 'model_unavailable':
    case 'lane_unavailable':
    case 'unsupported':
    case 'consent_spent':
      return { act: 'next' };
    case 'rate_limited': {
      const waitMs =
        failure.unavailableUntil === undefined ? SAME_LANE_RETRY_MS : Math.max(0, failure.unavailableUntil - now);
      return mayRetry && waitMs <= SHORT_RETRY_AFTER_MS ? { act: 'again', afterMs: waitMs } : { act: 'next' };
    }
    case 'overloaded':
    case 'broken':
      return mayRetry ? { act: 'again', afterMs: SAME_LANE_RETRY_MS } : { act: 'next' };
    case 'process_lost':
      return mayRetry ? { act: 'again', afterMs: 0 } : { act: 'next' };
  }
}
