import { sleep } from '@temporalio/workflow';
import { chooseLane, outageAfter } from '../core/contracts/choose-lane.ts';
import type { CompletionInput, CompletionOutcome, ServeResult } from '../core/contracts/completion.ts';
import { decide } from '../core/contracts/decide.ts';
import type { AttemptFailure, AttemptRecord } from '../core/contracts/failure.ts';
import type { PlannedLane } from '../core/contracts/lane.ts';
import { TASK_PRIORITY } from '../core/contracts/queues.ts';
import { ATTEMPT_DEADLINE_MS, INTERACTIVE_SLOT_WAIT_MS } from '../core/contracts/timings.ts';
import { lostAttempt } from './lost-attempt.ts';
import { laneActivities, shortActivities } from './proxies.ts';

/**
 * One interactive completion: down the plan of lanes until one answers or none is left. Its history holds ids, lanes and
 * times; prompt and answer are in MongoDB. Cancelled when the caller goes away.
 */
export async function completionWorkflow(input: CompletionInput): Promise<CompletionOutcome> {
  const attempts: AttemptRecord[] = [];
  const usedUp = new Set<string>();
  const outages = new Map<string, number>();
  const triesOn = new Map<string, number>();
  let failure: AttemptFailure | undefined;

  for (;;) {
    const now = Date.now();
    const lane = now < input.deadlineAt ? chooseLane(input.plan, usedUp, outages, now) : undefined;
    if (lane === undefined) break;
    const result = await serve(input, lane, attempts);
    attempts.push(result.record);
    if (result.ok) return { answered: true, laneId: lane.laneId, attempts };

    failure = result.failure;
    const tries = (triesOn.get(lane.laneId) ?? 0) + 1;
    triesOn.set(lane.laneId, tries);
    const decision = decide({ failure, triesOnLane: tries, now: Date.now() });
    if (decision.act === 'fail') break;
    if (decision.act === 'next') {
      usedUp.add(lane.laneId);
      const outage = outageAfter(failure, Date.now());
      if (outage !== undefined) outages.set(lane.laneId, outage);
    } else if (decision.afterMs > 0) {
      await sleep(decision.afterMs);
    }
  }
  await tellCaller(input, failure, attempts, outages);
  return { answered: false, attempts };
}

async function serve(
  input: CompletionInput,
  lane: PlannedLane,
  previous: readonly AttemptRecord[],
): Promise<ServeResult> {
  const { unavailableUntil: _, ...laneRef } = lane;
  const attempt = previous.length + 1;
  const startedAt = Date.now();
  try {
    return await laneActivities({
      laneId: lane.laneId,
      slotWaitMs: INTERACTIVE_SLOT_WAIT_MS,
      limitMs: ATTEMPT_DEADLINE_MS + INTERACTIVE_SLOT_WAIT_MS,
      priorityKey: TASK_PRIORITY.interactive,
      fairnessKey: input.keyId,
      summary: `attempt ${attempt} on ${lane.alias}`,
    }).serveRequest({ requestId: input.requestId, lane: laneRef, attempt, previous, deadlineAt: input.deadlineAt });
  } catch (error) {
    const failure = lostAttempt(error);
    const { class: outcome, reachedUpstream, reason } = failure;
    const durationMs = Date.now() - startedAt;
    return {
      ok: false,
      failure,
      record: { laneId: lane.laneId, attempt, outcome, reachedUpstream, startedAt, durationMs, reason },
    };
  }
}

/** A caller's own fault was told by the lane's activity, with the upstream's body; all else is told here, in our words. */
async function tellCaller(
  input: CompletionInput,
  failure: AttemptFailure | undefined,
  attempts: readonly AttemptRecord[],
  outages: ReadonlyMap<string, number>,
): Promise<void> {
  if (failure?.class === 'caller_fault' || failure?.class === 'cancelled') return;
  const returns = input.plan
    .map((lane) => outages.get(lane.laneId) ?? lane.unavailableUntil)
    .filter((until) => until > Date.now());
  await shortActivities.settleFailure({
    requestId: input.requestId,
    failure: failure ?? {
      class: 'lane_unavailable',
      answerStarted: false,
      reachedUpstream: false,
      reason: 'no lane of the plan was free before the deadline',
    },
    attempts,
    ...(returns.length === input.plan.length ? { resetsAt: Math.min(...returns) } : {}),
  });
}
