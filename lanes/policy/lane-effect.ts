import type { AttemptFailure } from '../../core/contracts/failure.ts';
import type { LaneKind, LaneState } from '../../core/contracts/lane.ts';
import { HOLD_WITHOUT_RESET_MS, LONGEST_WINDOW_MS, SHORT_RETRY_AFTER_MS } from '../../core/contracts/timings.ts';

/** Failures in passing that open the circuit: so many within the span below. */
const BREAKER_FAILURES = 5;
const BREAKER_SPAN_MS = 60_000;

/** The first pause of a lane that is too busy or broken, and the longest; doubled with each pause in a row. */
const FIRST_BACKOFF_MS = 5_000;
const LONGEST_BACKOFF_MS = 60_000;

/** What a lane's process remembers of its recent failures. Not stored: a new process starts with a clean slate. */
export interface FailureMemory {
  /** Unix milliseconds of recent failures in passing, since the last pause. */
  readonly recentAt: readonly number[];
  /** Pauses in a row without an answer in between. */
  readonly pausesInARow: number;
  /** The last pause: its end in Unix milliseconds, and as how many failures it counts for a while after that. */
  readonly lastPause?: { readonly until: number; readonly countsAs: number };
  /** The process whose death was counted last. */
  readonly lostProcess?: number;
}

export const NO_FAILURES: FailureMemory = { recentAt: [], pausesInARow: 0 };

export interface LaneEffect {
  readonly memory: FailureMemory;
  /** Absent: the lane stays as it is. */
  readonly change?: {
    readonly to: LaneState;
    readonly until: number | null;
    readonly why: string;
    /** Of cooling: the upstream has asked for a pause, and no window is used up. */
    readonly backsOff?: true;
  };
}

/**
 * What a failed attempt does to its lane. Pure; `random` (0 to 1) is the jitter.
 * A caller's own fault never harms a lane.
 */
export function laneEffect(
  kind: LaneKind,
  failure: AttemptFailure,
  memory: FailureMemory,
  now: number,
  random: number,
): LaneEffect {
  switch (failure.class) {
    case 'window_exhausted': {
      const until = Math.min(failure.unavailableUntil ?? now + HOLD_WITHOUT_RESET_MS, now + LONGEST_WINDOW_MS);
      return { memory, change: { to: 'cooling', until, why: failure.reason } };
    }
    case 'unauthorized':
      return {
        memory,
        change: { to: kind === 'plan' ? 'needs_login' : 'needs_key', until: null, why: failure.reason },
      };
    case 'rate_limited':
    case 'overloaded': {
      const wait = failure.unavailableUntil === undefined ? 0 : failure.unavailableUntil - now;
      if (wait > SHORT_RETRY_AFTER_MS) {
        const until = Math.min(now + wait, now + LONGEST_WINDOW_MS);
        return { memory, change: { to: 'cooling', until, why: failure.reason, backsOff: true } };
      }
      // The first one is left to the request's own retry; a second one within the span pauses the lane.
      // It backs off: no window is used up, and those who come meanwhile are told to come again.
      return pauseAfter(2, failure, memory, now, random);
    }
    case 'process_lost': {
      const { lostProcess } = failure;
      if (lostProcess === undefined) return pauseAfter(BREAKER_FAILURES, failure, memory, now, random);
      // One death takes all requests of its process along, and says only once that the lane is not well.
      if (lostProcess === memory.lostProcess) return { memory };
      return pauseAfter(BREAKER_FAILURES, failure, { ...memory, lostProcess }, now, random);
    }
    case 'broken':
      return pauseAfter(BREAKER_FAILURES, failure, memory, now, random);
    case 'model_unavailable':
    case 'caller_fault':
    case 'lane_unavailable':
    case 'unsupported':
    case 'consent_spent':
    case 'cancelled':
      return { memory };
  }
}

function pauseAfter(
  failures: number,
  failure: AttemptFailure,
  memory: FailureMemory,
  now: number,
  random: number,
): LaneEffect {
  const { lastPause } = memory;
  // A pause is under way, and this attempt began before it: it says nothing new, and must not make the next pause longer.
  if (lastPause !== undefined && lastPause.until > now) return { memory };
  const recentAt = [...memory.recentAt.filter((at) => at > now - BREAKER_SPAN_MS), now];
  const fromPause = lastPause !== undefined && lastPause.until > now - BREAKER_SPAN_MS ? lastPause.countsAs : 0;
  if (fromPause + recentAt.length < failures) return { memory: { ...memory, recentAt } };
  const backoffMs = Math.min(FIRST_BACKOFF_MS * 2 ** memory.pausesInARow, LONGEST_BACKOFF_MS);
  const until = now + Math.round(backoffMs * (0.5 + random / 2));
  // One failure short of the next pause: after the pause a single probe decides.
  const paused = { until, countsAs: failures - 1 };
  return {
    memory: { ...memory, recentAt: [], pausesInARow: memory.pausesInARow + 1, lastPause: paused },
    change: { to: 'unhealthy', until, why: failure.reason },
  };
}
