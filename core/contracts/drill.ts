import type { AttemptFailure } from './failure.ts';

/** Signals of a lane that its owner may have played, to see what becomes of a request. */
export const DRILL_SIGNALS = [
  'usage_limit',
  'rate_limit',
  'server_error',
  'timeout',
  'unauthorized',
  'broken_stream',
  'process_lost',
] as const;

export type DrillSignal = (typeof DRILL_SIGNALS)[number];

/** A fault drill of one request. Safe to be in a workflow's history. */
export interface Drill {
  readonly signal: DrillSignal;
  /** Every attempt on this lane fails so, within PLAYED_AT_MOST; absent: the first attempt, whichever lane has it. */
  readonly laneId?: string;
}

/** Attempts of a request in which a drill is played: one that waits for a lane would be played with at each look, for an hour. */
const PLAYED_AT_MOST = 10;

/** The signal that an attempt plays; undefined when it goes its usual way. */
export function drilledSignal(drill: Drill | undefined, laneId: string, attempt: number): DrillSignal | undefined {
  if (drill === undefined) return undefined;
  const isMeant = drill.laneId === undefined ? attempt === 1 : drill.laneId === laneId && attempt <= PLAYED_AT_MOST;
  return isMeant ? drill.signal : undefined;
}

/**
 * The failure that a lane's true signal would be, marked as a drill. The upstream has seen nothing of it.
 * @param streaming true when the caller takes chunks as they come: then a broken stream has begun
 */
export function drillFailure(signal: DrillSignal, streaming: boolean): AttemptFailure {
  const shared = { answerStarted: false, reachedUpstream: false, reason: `drill: ${signal}` };
  switch (signal) {
    case 'usage_limit':
      return { ...shared, class: 'window_exhausted', upstreamStatus: 429 };
    case 'rate_limit':
      return { ...shared, class: 'rate_limited', upstreamStatus: 429 };
    case 'server_error':
      return { ...shared, class: 'broken', upstreamStatus: 500 };
    case 'timeout':
      return { ...shared, class: 'broken' };
    case 'unauthorized':
      return { ...shared, class: 'unauthorized', upstreamStatus: 401 };
    case 'broken_stream':
      return { ...shared, class: 'broken', answerStarted: streaming };
    case 'process_lost':
      return { ...shared, class: 'process_lost' };
  }
}
