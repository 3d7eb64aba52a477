import type { RequestResult, RequestStore } from '../../store/requests.ts';

/**
 * Stores a result unless the request has one, and returns the one that stands: `own` itself, or what was stored before. That is
 * what the caller gets, so that a repeat, which reads it, gets the same. Safe to repeat.
 */
export async function keepResult(
  requests: Pick<RequestStore, 'storeResult' | 'find'>,
  requestId: string,
  own: RequestResult,
): Promise<RequestResult> {
  if (await requests.storeResult(requestId, own)) return own;
  const stored = (await requests.find(requestId))?.result ?? null;
  return stored === null || isSame(stored, own) ? own : stored;
}

/** A write that is sent again because its acknowledgement was lost finds what it has written itself. */
function isSame(stored: RequestResult, own: RequestResult): boolean {
  return (['at', 'status', 'laneId', 'attempts', 'body'] as const).every((field) => stored[field] === own[field]);
}
