import type { ReplyEnd } from '../core/reply.ts';
import type { RequestResult } from './requests.ts';

/**
 * A stored result as the end that its caller waits for.
 * @param now Unix milliseconds, from which a wait before the next try is counted
 */
export function endOfResult(result: RequestResult, now: number): ReplyEnd {
  const { status, body, laneId, at, attempts = 0, meta, retryAfterMs, shouldRetry } = result;
  if (laneId === null || status !== 200) {
    return {
      type: 'failed',
      status,
      body,
      attempts,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs: Math.max(0, at + retryAfterMs - now) }),
      ...(shouldRetry === undefined ? {} : { shouldRetry }),
    };
  }
  // What an older result does not say is left out.
  const unknown = { costMicros: null, meterMicros: null, ignoredParams: [] };
  return { type: 'done', body, meta: meta ?? { laneId, laneAlias: laneId, attempts, ...unknown } };
}
