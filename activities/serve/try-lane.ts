import { CancelledFailure, Context } from '@temporalio/activity';
import type { Clock } from '../../core/clock.ts';
import type { AttemptFailure, AttemptRecord } from '../../core/contracts/failure.ts';
import type { LaneRef } from '../../core/contracts/lane.ts';
import { ATTEMPT_DEADLINE_MS, INTERACTIVE_SLOT_WAIT_MS } from '../../core/contracts/timings.ts';
import type { LaneOutcome } from '../../core/lane-port.ts';
import type { HostedLane, LaneHost } from './hosted-lane.ts';

export interface LaneTry {
  readonly itemId: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly lane: LaneRef;
  readonly attempt: number;
  readonly priority: 'interactive' | 'batch';
  /** Unix milliseconds. */
  readonly deadlineAt: number;
  readonly stream: boolean;
  readonly callerGone?: AbortSignal;
  onChunk(chunkJson: string): Promise<void>;
}

export interface TriedLane {
  readonly outcome: LaneOutcome;
  readonly record: AttemptRecord;
}

/**
 * One attempt on one lane: its slot, the call, and what it says of the lane.
 * @throws CancelledFailure when Temporal cancelled the activity (the request was cancelled, or the worker stops)
 */
export async function tryLane(host: LaneHost, clock: Clock, call: LaneTry): Promise<TriedLane> {
  const { cancellationSignal } = Context.current();
  // A signal of its own for each call: many lines of one activity would crowd the activity's.
  const signal = AbortSignal.any(
    call.callerGone === undefined ? [cancellationSignal] : [cancellationSignal, call.callerGone],
  );
  const startedAt = clock.now();
  const outcome = await attempt(host, clock, call, signal);
  if (!outcome.ok && outcome.failure.class === 'cancelled' && cancellationSignal.aborted) {
    throw new CancelledFailure('the request was cancelled or the worker stops');
  }
  const shared = { laneId: call.lane.laneId, attempt: call.attempt, startedAt, durationMs: clock.now() - startedAt };
  if (outcome.ok) return { outcome, record: { ...shared, outcome: 'answered', reachedUpstream: true } };
  const { class: failureClass, reachedUpstream, reason, param } = outcome.failure;
  const record = {
    ...shared,
    outcome: failureClass,
    reachedUpstream,
    reason,
    ...(param === undefined ? {} : { param }),
  };
  return { outcome, record };
}

async function attempt(host: LaneHost, clock: Clock, call: LaneTry, signal: AbortSignal): Promise<LaneOutcome> {
  const hosted = host.find(call.lane.laneId);
  if (hosted === undefined) return unavailable('this worker no longer hosts the lane');
  const before = hosted.availability();
  if (!before.open) return unavailable(before.why, before.until);
  const release = await acquire(hosted, call.priority, signal);
  if (release === undefined) {
    return signal.aborted
      ? { ok: false, failure: failureOf('cancelled', 'the caller is gone') }
      : unavailable('no slot of the lane became free in time');
  }
  try {
    // The lane may have run out while this one waited for its slot.
    const now = hosted.availability();
    if (!now.open) return unavailable(now.why, now.until);
    const outcome = await hosted.lane.complete({
      requestId: call.itemId,
      body: call.body,
      model: call.lane.model,
      stream: call.stream,
      deadlineAt: Math.min(call.deadlineAt, clock.now() + ATTEMPT_DEADLINE_MS),
      signal,
      onChunk: (chunkJson) => call.onChunk(chunkJson),
    });
    if (outcome.ok) await hosted.reportAnswer();
    else await hosted.reportFailure(outcome.failure);
    return outcome;
  } finally {
    release();
  }
}

/** A batch line waits as long as it takes; an interactive request goes to the next lane instead. Undefined: no slot. */
async function acquire(
  hosted: HostedLane,
  priority: LaneTry['priority'],
  signal: AbortSignal,
): Promise<(() => void) | undefined> {
  const tooLong = new AbortController();
  const timer = setTimeout(() => tooLong.abort(), INTERACTIVE_SLOT_WAIT_MS);
  if (priority === 'batch') clearTimeout(timer);
  try {
    return await hosted.acquire(priority, AbortSignal.any([signal, tooLong.signal]));
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

function unavailable(why: string, until?: number): LaneOutcome {
  const failure = failureOf('lane_unavailable', why);
  return { ok: false, failure: until === undefined ? failure : { ...failure, unavailableUntil: until } };
}

function failureOf(failureClass: AttemptFailure['class'], reason: string): AttemptFailure {
  return { class: failureClass, answerStarted: false, reachedUpstream: false, reason };
}
