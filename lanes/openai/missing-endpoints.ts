import { LRUCache } from 'lru-cache';
import type { Clock } from '../../core/clock.ts';
import type { Operation } from '../../core/lane-port.ts';

/** A provider that gets an endpoint it did not have is noticed within this time, or when the lane's settings change. */
const ASK_AGAIN_AFTER_MS = 60 * 60_000;

/** Names of models come from routes, and a route's pattern lets callers make them up. */
const MOST_REMEMBERED = 200;

/** Which endpoints a lane's provider does not have, as far as it has said so itself. */
export interface MissingEndpoints {
  has(operation: Operation, model: string): boolean;
  note(operation: Operation, model: string): void;
}

/**
 * Remembers in this process that a provider lacks an endpoint (`/responses`, say), so that it isn't asked with each request. By
 * model: some providers answer 404 for the one deployment that is not there.
 */
export function createMissingEndpoints(clock: Clock): MissingEndpoints {
  const askAgainAt = new LRUCache<string, number>({ max: MOST_REMEMBERED });
  return {
    has: (operation, model) => (askAgainAt.get(`${operation} ${model}`) ?? 0) > clock.now(),
    note: (operation, model) => void askAgainAt.set(`${operation} ${model}`, clock.now() + ASK_AGAIN_AFTER_MS),
  };
}
