import { fitsDocument } from './answer-limit.ts';
import { ApiError } from './errors.ts';
import type { LaneOutcome } from './lane-port.ts';

/**
 * An answer that no document can hold ends its request, here and now: stored it can't be, and asked for again it would be
 * as long and as dear. Every other outcome is passed on as it is.
 */
export function storable(outcome: LaneOutcome, stream: boolean): LaneOutcome {
  if (!outcome.ok || fitsDocument(outcome.body)) return outcome;
  const error = new ApiError('upstream_broken', 'The answer is longer than the 15 MiB that are kept. Ask for less.');
  return {
    ok: false,
    failure: {
      class: 'caller_fault',
      answerStarted: stream,
      reachedUpstream: true,
      reason: 'the answer is longer than can be stored',
    },
    callerAnswer: { status: error.status, body: JSON.stringify(error.body) },
  };
}
