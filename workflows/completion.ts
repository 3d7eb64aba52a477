import { CancellationScope, isCancellation, patched, sleep } from '@temporalio/workflow';
import type { CompletionInput, CompletionOutcome, ServeResult } from '../core/contracts/completion.ts';
import { drilledSignal } from '../core/contracts/drill.ts';
import type { AttemptRecord } from '../core/contracts/failure.ts';
import type { PlannedLane } from '../core/contracts/lane.ts';
import type { LaneLook, LaneWait } from '../core/contracts/lane-wait.ts';
import { TASK_PRIORITY } from '../core/contracts/queues.ts';
import { runPlan } from '../core/contracts/run-plan.ts';
import { ATTEMPT_DEADLINE_MS, INTERACTIVE_SLOT_WAIT_MS, LAST_LANE_SLOT_WAIT_MS } from '../core/contracts/timings.ts';
import { cancelledAttempt } from './cancelled-attempt.ts';
import { lostAttempt, lostRecord } from './lost-attempt.ts';
import { laneActivities, shortActivities } from './proxies.ts';

/**
 * One interactive completion: down the plan of lanes until one answers or none is left. Its history holds ids, lanes and
 * times; prompt and answer are in MongoDB. Cancelled when the caller goes away.
 */
export async function completionWorkflow(input: CompletionInput): Promise<CompletionOutcome> {
  const attempts: AttemptRecord[] = [];
  try {
    return await complete(input, attempts);
  } catch (error) {
    if (isCancellation(error)) await settleCancelled(input.requestId, attempts);
    throw error;
  }
}

/** @param made takes up the attempts as they are made, so that they are known when this is cancelled */
async function complete(input: CompletionInput, made: AttemptRecord[]): Promise<CompletionOutcome> {
  const { requestId, plan, deadlineAt } = input;
  const end = await runPlan({
    plan,
    deadlineAt,
    now: () => Date.now(),
    pause: (ms) => sleep(ms),
    serve: (lane, previous, isLastLane) => serve(input, lane, { previous, isLastLane, made }),
    ...(input.wait === undefined ? {} : { wait: waitOf(input, input.wait.until) }),
  });
  if (end.answered) return end;
  const { attempts, told } = end;
  // A caller's own fault was told by the lane's activity, with the upstream's body; all else is told here, in our words.
  if (told !== undefined) await shortActivities.settleFailure({ requestId, attempts, ...told });
  // The attempt has noticed that its caller is gone before the cancellation came.
  else if (attempts.at(-1)?.outcome === 'cancelled') await settleCancelled(requestId, attempts);
  return { answered: false, attempts };
}

/** Writes down a request whose caller has left, although all else is cancelled. */
async function settleCancelled(requestId: string, attempts: readonly AttemptRecord[]): Promise<void> {
  // Runs that were cancelled by an earlier version have ended without this.
  if (!patched('settle-cancelled')) return;
  await CancellationScope.nonCancellable(() => shortActivities.settleCancelled({ requestId, attempts }));
}

function waitOf(input: CompletionInput, until: number): LaneWait {
  return {
    until,
    look: () => look(input),
    // Runs of an earlier version have done so up to here.
    triesAllAgain: () => !patched('lanes-that-come-back'),
  };
}

/** Only the lanes of the plan: what the caller consented to was decided when it was made. */
async function look({ plan, keyId, wait }: CompletionInput): Promise<ReadonlyMap<string, LaneLook>> {
  if (wait === undefined) return new Map();
  const { lanes } = await shortActivities.planLanesFor({ keyId, model: wait.model, purpose: 'interactive' });
  const known = new Set(plan.map(({ laneId }) => laneId));
  return new Map(lanes.flatMap((lane) => (known.has(lane.laneId) ? [[lane.laneId, lane]] : [])));
}

/** Where an attempt stands in its request. */
interface AttemptPlace {
  readonly previous: readonly AttemptRecord[];
  /** No other lane is open to the request. */
  readonly isLastLane: boolean;
}

/** One attempt; its record is taken up in `made` also when it is cancelled in the middle. */
async function serve(
  input: CompletionInput,
  lane: PlannedLane,
  { made, ...place }: AttemptPlace & { readonly made: AttemptRecord[] },
): Promise<ServeResult> {
  try {
    const result = await serveOn(input, lane, place);
    made.push(result.record);
    return result;
  } catch (error) {
    const record = cancelledAttempt(error);
    if (record !== undefined) made.push(record);
    throw error;
  }
}

async function serveOn(
  input: CompletionInput,
  lane: PlannedLane,
  { previous, isLastLane }: AttemptPlace,
): Promise<ServeResult> {
  const { unavailableUntil: _, backsOff: _pause, ...laneRef } = lane;
  const attempt = previous.length + 1;
  const startedAt = Date.now();
  const drill = drilledSignal(input.drill, lane.laneId, attempt);
  try {
    return await laneActivities({
      laneId: lane.laneId,
      slotWaitMs: INTERACTIVE_SLOT_WAIT_MS,
      limitMs: ATTEMPT_DEADLINE_MS + (isLastLane ? LAST_LANE_SLOT_WAIT_MS : INTERACTIVE_SLOT_WAIT_MS),
      priorityKey: TASK_PRIORITY.interactive,
      fairnessKey: input.keyId,
      summary: `attempt ${attempt} on ${lane.alias}`,
    }).serveRequest({
      requestId: input.requestId,
      lane: laneRef,
      attempt,
      previous,
      deadlineAt: input.deadlineAt,
      ...(isLastLane ? { isLastLane } : {}),
      ...(drill === undefined ? {} : { drill }),
    });
  } catch (error) {
    const failure = lostAttempt(error);
    return { ok: false, failure, record: lostRecord(lane, attempt, startedAt, failure) };
  }
}
