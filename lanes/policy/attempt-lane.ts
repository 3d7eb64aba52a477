import type { Clock } from '../../core/clock.ts';
import type { AttemptFailure, AttemptRecord } from '../../core/contracts/failure.ts';
import type { LaneRef } from '../../core/contracts/lane.ts';
import { ATTEMPT_DEADLINE_MS, INTERACTIVE_SLOT_WAIT_MS } from '../../core/contracts/timings.ts';
import type { LaneOutcome, Operation } from '../../core/lane-port.ts';
import type { HostedLane, LaneHost } from './hosted-lane.ts';

export interface LaneTry {
  readonly itemId: string;
  /** `chat` where it is left out. */
  readonly operation?: Operation;
  readonly body: Readonly<Record<string, unknown>>;
  readonly lane: LaneRef;
  readonly attempt: number;
  readonly priority: 'interactive' | 'batch';
  /** Unix milliseconds. */
  readonly deadlineAt: number;
  readonly stream: boolean;
  onChunk(chunkJson: string): Promise<void>;
}

/**
 * One attempt on one lane: its slot, the call, and what it says of the lane. Never throws for what a lane or a caller does.
 * @param signal ends it: the caller is gone, the batch is cancelled, the process stops
 */
export async function attemptLane(
  host: LaneHost,
  clock: Clock,
  call: LaneTry,
  signal: AbortSignal,
): Promise<LaneOutcome> {
  const hosted = host.find(call.lane.laneId);
  if (hosted === undefined) return unavailable('this process does not host the lane');
  const before = hosted.availability(call.priority);
  if (!before.open) return unavailable(before.why, before.until);
  const release = await acquire(hosted, call.priority, signal);
  if (release === undefined) {
    return signal.aborted
      ? { ok: false, failure: failureOf('cancelled', 'the caller is gone') }
      : unavailable('no slot of the lane became free in time');
  }
  try {
    // The lane may have run out while this one waited for its slot.
    const now = hosted.availability(call.priority);
    if (!now.open) return unavailable(now.why, now.until);
    const outcome = await hosted.lane.complete({
      requestId: call.itemId,
      operation: call.operation ?? 'chat',
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

/** What the lane log keeps of an attempt. */
export function recordOf(
  call: Pick<LaneTry, 'lane' | 'attempt'>,
  outcome: LaneOutcome,
  startedAt: number,
  endedAt: number,
): AttemptRecord {
  const shared = { laneId: call.lane.laneId, attempt: call.attempt, startedAt, durationMs: endedAt - startedAt };
  if (outcome.ok) return { ...shared, outcome: 'answered', reachedUpstream: true };
  const { class: failureClass, reachedUpstream, reason, param } = outcome.failure;
  return { ...shared, outcome: failureClass, reachedUpstream, reason, ...(param === undefined ? {} : { param }) };
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
