import { CancelledFailure, Context } from '@temporalio/activity';
import type { Clock } from '../../core/clock.ts';
import type { AttemptRecord } from '../../core/contracts/failure.ts';
import type { LaneOutcome, TokenUsage } from '../../core/lane-port.ts';
import { attemptLane, recordOf, type LaneTry } from '../../lanes/policy/attempt-lane.ts';
import type { LaneHost } from '../../lanes/policy/hosted-lane.ts';
import { storable } from '../../core/storable-answer.ts';

export interface ActivityTry extends LaneTry {
  readonly callerGone?: AbortSignal;
  /** Hears how the attempt ended before anything else is made of it, also of one that was cancelled. */
  readonly onEnd?: (given: LaneOutcome) => void;
}

export interface TriedLane {
  readonly outcome: LaneOutcome;
  readonly record: AttemptRecord;
  /** Present when the upstream gave a whole answer, kept or not: that is what is paid for. */
  readonly billed?: { readonly usage: TokenUsage | null };
}

/**
 * One attempt on one lane: its slot, the call, and what it says of the lane.
 * @throws CancelledFailure when Temporal cancelled the activity (the request was cancelled, or the worker stops). Its details are
 *   the record of the attempt: what was on its way may be paid for
 */
export async function tryLane(host: LaneHost, clock: Clock, call: ActivityTry): Promise<TriedLane> {
  const { cancellationSignal } = Context.current();
  // A signal of its own for each call: many lines of one activity would crowd the activity's.
  const signal = AbortSignal.any(
    call.callerGone === undefined ? [cancellationSignal] : [cancellationSignal, call.callerGone],
  );
  const startedAt = clock.now();
  const given = await attemptLane(host, clock, call, signal);
  call.onEnd?.(given);
  const outcome = storable(given, call.stream);
  const billed = given.ok ? { billed: { usage: given.usage } } : {};
  const record = recordOf(call, outcome, startedAt, clock.now());
  if (!outcome.ok && outcome.failure.class === 'cancelled' && cancellationSignal.aborted) {
    throw new CancelledFailure('the request was cancelled or the worker stops', [record]);
  }
  return { outcome, record, ...billed };
}
