import type { Clock } from '../../core/clock.ts';
import type { DrillSignal } from '../../core/contracts/drill.ts';
import type { AttemptFailure, AttemptRecord } from '../../core/contracts/failure.ts';
import type { LaneRef } from '../../core/contracts/lane.ts';
import { ATTEMPT_DEADLINE_MS, INTERACTIVE_SLOT_WAIT_MS } from '../../core/contracts/timings.ts';
import type { LaneOutcome, Operation } from '../../core/lane-port.ts';
import type { HostedLane, LaneHost } from './hosted-lane.ts';
import type { SlotPriority } from './slots.ts';
import { playDrill } from './play-drill.ts';

export interface LaneTry {
  readonly itemId: string;
  /** `chat` where it is left out. */
  readonly operation?: Operation;
  readonly body: Readonly<Record<string, unknown>>;
  readonly lane: LaneRef;
  readonly attempt: number;
  readonly priority: SlotPriority;
  /** Unix milliseconds. */
  readonly deadlineAt: number;
  readonly stream: boolean;
  /** The signal that is played instead of a call. */
  readonly drill?: DrillSignal;
  onChunk(chunkJson: string): Promise<void>;
  /** Asked when it has its slot: why it must not go out after all, and until when. */
  readonly heldBack?: () => Promise<{ readonly why: string; readonly until: number } | undefined>;
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
    const held = await call.heldBack?.();
    if (held !== undefined) return unavailable(held.why, held.until);
    if (call.drill !== undefined) {
      const { operation = 'chat', lane } = call;
      // Nothing of it is reported to the lane: a drill must not close a lane that is well.
      return await playDrill(call.drill, { ...call, operation, model: lane.model, now: clock.now() });
    }
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
  call: Pick<LaneTry, 'lane' | 'attempt' | 'drill'>,
  outcome: LaneOutcome,
  startedAt: number,
  endedAt: number,
): AttemptRecord {
  const shared = {
    laneId: call.lane.laneId,
    attempt: call.attempt,
    startedAt,
    durationMs: endedAt - startedAt,
    ...(call.drill === undefined ? {} : { drill: true as const }),
  };
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
  if (signal.aborted) return undefined;
  // By hand, and not by AbortSignal.any: its weak references are a good part of what a request leaves to the garbage collector.
  const waiting = new AbortController();
  const stop = (): void => waiting.abort();
  signal.addEventListener('abort', stop, { once: true });
  const timer = priority === 'interactive' ? setTimeout(stop, INTERACTIVE_SLOT_WAIT_MS) : undefined;
  try {
    return await hosted.acquire(priority, waiting.signal);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

function unavailable(why: string, until?: number): LaneOutcome {
  const failure = failureOf('lane_unavailable', why);
  return { ok: false, failure: until === undefined ? failure : { ...failure, unavailableUntil: until } };
}

function failureOf(failureClass: AttemptFailure['class'], reason: string): AttemptFailure {
  return { class: failureClass, answerStarted: false, reachedUpstream: false, reason };
}
