import type { Clock } from '../../core/clock.ts';
import type { DrillSignal } from '../../core/contracts/drill.ts';
import { isCostUnknown, type AttemptFailure, type AttemptRecord } from '../../core/contracts/failure.ts';
import type { LaneRef } from '../../core/contracts/lane.ts';
import {
  ATTEMPT_DEADLINE_MS,
  INTERACTIVE_SLOT_WAIT_MS,
  LAST_LANE_SLOT_WAIT_MS,
  LINE_WAIT_IN_WORKER_MS,
} from '../../core/contracts/timings.ts';
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
  /** An interactive request that no other lane is open to waits longer for its slot. */
  readonly isLastLane?: boolean;
  readonly stream: boolean;
  /** Aborted when this process begins nothing more. What has its slot by then is finished. */
  readonly stopping?: AbortSignal;
  /** The signal that is played instead of a call. */
  readonly drill?: DrillSignal;
  onChunk(chunkJson: string): Promise<void>;
  /** Asked when it has its slot: why it must not go out after all, and until when. */
  readonly heldBack?: () => Promise<{ readonly why: string; readonly until: number } | undefined>;
  /** Called as it goes out: from here on it may have been paid for, whatever comes of it. */
  readonly onSent?: () => void;
  /**
   * Is given what tells the lane of the outcome, and is to wait for it; the attempt then does not. This process knows at once, the
   * database as soon as it answers. Whoever goes by what the database says of lanes leaves this out.
   */
  readonly onReport?: (reporting: Promise<void>) => void;
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
  if (hosted === undefined) return unavailable({ why: 'this process does not host the lane' });
  const before = hosted.availability(call.priority);
  if (!before.open) return unavailable(before);
  const release = await acquire(hosted, call, signal);
  if (release === undefined) return notAdmitted(call, clock.now(), signal);
  try {
    // The lane may have run out while this one waited for its slot.
    const now = hosted.availability(call.priority);
    if (!now.open) return unavailable(now);
    const held = await call.heldBack?.();
    if (held !== undefined) return unavailable(held);
    if (call.deadlineAt <= clock.now()) return unavailable({ why: 'there was no time left for it' });
    if (call.drill !== undefined) {
      const { operation = 'chat', lane } = call;
      // Nothing of it is reported to the lane: a drill must not close a lane that is well.
      return await playDrill(call.drill, { ...call, operation, model: lane.model, now: clock.now() });
    }
    call.onSent?.();
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
    const reporting = outcome.ok
      ? hosted.reportAnswer()
      : hosted.reportFailure(ofTheLane(outcome.failure, call.deadlineAt <= clock.now()));
    if (call.onReport === undefined) await reporting;
    else call.onReport(reporting);
    return outcome;
  } finally {
    release();
  }
}

/** What a failure says of the lane: one that was cut off because the caller's own time was over, as at the end of a batch, nothing. */
function ofTheLane(failure: AttemptFailure, isCallersTimeOver: boolean): AttemptFailure {
  return isCallersTimeOver && failure.class === 'broken' ? { ...failure, class: 'cancelled' } : failure;
}

/** Why there was no slot. */
function notAdmitted({ stopping, priority }: LaneTry, now: number, signal: AbortSignal): LaneOutcome {
  if (signal.aborted) return { ok: false, failure: failureOf('cancelled', 'the caller is gone') };
  if (stopping?.aborted === true) return { ok: false, failure: failureOf('process_lost', 'the worker stops') };
  const why = 'no slot of the lane became free in time';
  // A lane that many lines wait for is busy, and not out: a batch may send its lines there again at once.
  return unavailable(priority === 'interactive' ? { why } : { why, until: now });
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
  return {
    ...shared,
    outcome: failureClass,
    reachedUpstream,
    reason,
    ...(param === undefined ? {} : { param }),
    ...(isCostUnknown(call.lane.kind, outcome.failure) && call.drill === undefined
      ? { costUnknown: true as const }
      : {}),
  };
}

/** How long something waits for a slot: a batch line long, an interactive request as long as there is another lane to go to. */
function slotWaitMs(priority: SlotPriority, isLastLane: boolean): number {
  if (priority !== 'interactive') return LINE_WAIT_IN_WORKER_MS;
  return isLastLane ? LAST_LANE_SLOT_WAIT_MS : INTERACTIVE_SLOT_WAIT_MS;
}

/** Undefined: no slot. */
async function acquire(
  hosted: HostedLane,
  { priority, isLastLane = false, stopping }: Pick<LaneTry, 'priority' | 'isLastLane' | 'stopping'>,
  signal: AbortSignal,
): Promise<(() => void) | undefined> {
  if (signal.aborted || stopping?.aborted === true) return undefined;
  // By hand, and not by AbortSignal.any: its weak references are a good part of what a request leaves to the garbage collector.
  const waiting = new AbortController();
  const stop = (): void => waiting.abort();
  signal.addEventListener('abort', stop, { once: true });
  stopping?.addEventListener('abort', stop, { once: true });
  const timer = setTimeout(stop, slotWaitMs(priority, isLastLane));
  try {
    return await hosted.acquire(priority, waiting.signal);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
    stopping?.removeEventListener('abort', stop);
  }
}

function unavailable({ why, until, backsOff }: { why: string; until?: number; backsOff?: boolean }): LaneOutcome {
  const failure = failureOf('lane_unavailable', why);
  return {
    ok: false,
    failure: {
      ...failure,
      ...(until === undefined ? {} : { unavailableUntil: until }),
      ...(backsOff === true ? { backsOff } : {}),
    },
  };
}

function failureOf(failureClass: AttemptFailure['class'], reason: string): AttemptFailure {
  return { class: failureClass, answerStarted: false, reachedUpstream: false, reason };
}
