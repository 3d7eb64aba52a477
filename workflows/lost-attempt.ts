import { ActivityFailure, ApplicationFailure, isCancellation, patched, TimeoutFailure } from '@temporalio/workflow';
import { isCostUnknown, type AttemptFailure, type AttemptRecord } from '../core/contracts/failure.ts';
import type { LaneRef } from '../core/contracts/lane.ts';

/**
 * What it means for a request that Temporal gave its activity up: no worker took it in time, be it anew, or the workers that took
 * it died. Rethrows what is not an activity's failure, cancellation above all.
 */
export function lostAttempt(error: unknown): AttemptFailure {
  if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
  const { cause } = error;
  if (!(cause instanceof TimeoutFailure) || cause.timeoutType !== 'SCHEDULE_TO_START') {
    return {
      class: 'process_lost',
      answerStarted: false,
      reachedUpstream: true,
      reason: 'the workers that took the request were lost',
    };
  }
  // To try the lane at once again would be to wait for its worker a second time.
  const unavailable = { class: 'lane_unavailable', answerStarted: false } as const;
  return wasTakenBefore(cause)
    ? {
        ...unavailable,
        reachedUpstream: true,
        mayBeBilled: true,
        reason: 'the worker that took the request was lost, and no other one took it in time',
      }
    : { ...unavailable, reachedUpstream: false, reason: 'no worker of this lane took the request in time' };
}

/** Attempts that were decided on before it was there count as never begun. */
const WAS_TAKEN_BEFORE = 'was-taken-before';

/**
 * The time for which a task waits in its queue is also that of a delivery that follows a lost one, and then this is the cause. The
 * failure's own `cause` is never set: only what the server told has it.
 */
function wasTakenBefore({ failure }: TimeoutFailure): boolean {
  return (failure?.cause ?? null) !== null && patched(WAS_TAKEN_BEFORE);
}

/**
 * True where the activity itself threw, again and again: the database was away, or the disk full. That says nothing of a lane, nor of
 * the request. What a lane does comes as a result.
 */
export function isOwnTrouble(error: unknown): boolean {
  return error instanceof ActivityFailure && error.cause instanceof ApplicationFailure;
}

/** The record of an attempt that ends now with such a failure. */
export function lostRecord(
  lane: Pick<LaneRef, 'laneId' | 'kind'>,
  attempt: number,
  startedAt: number,
  failure: AttemptFailure,
): AttemptRecord {
  const { class: outcome, reachedUpstream, reason } = failure;
  return {
    laneId: lane.laneId,
    attempt,
    outcome,
    reachedUpstream,
    startedAt,
    durationMs: Date.now() - startedAt,
    reason,
    ...(isCostUnknown(lane.kind, failure) ? { costUnknown: true } : {}),
  };
}
