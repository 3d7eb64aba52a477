import { Context } from '@temporalio/activity';
import type { Clock } from '../../core/clock.ts';
import type { BatchPriority } from '../../core/contracts/batch-control.ts';
import type { LineResult, LineTask, ServeLinesInput } from '../../core/contracts/batch.ts';
import { lineAttemptKey, lineKey } from '../../core/contracts/ids.ts';
import { ownAnswer } from '../../core/failure-answer.ts';
import type { LaneHost } from '../../lanes/policy/hosted-lane.ts';
import type { SlotPriority } from '../../lanes/policy/slots.ts';
import { chargeOf } from '../../lanes/prices/charge.ts';
import { costsOf, costsOfFailures, countedMicros, type CostMicros } from '../../lanes/prices/costs.ts';
import type { ChunkRow } from '../batch/load-chunk.ts';
import type { BatchGate } from './batch-gate.ts';
import type { GroupSpend } from './group-spend.ts';
import { toLineEntry } from './line-entry.ts';
import { deliveryOf } from './delivery-of.ts';
import type { LineRecorder } from './line-recorder.ts';
import { tryLane, type TriedLane } from './try-lane.ts';

export interface ServeLineDeps {
  readonly host: LaneHost;
  readonly recorder: LineRecorder;
  readonly heldBack: BatchGate;
  /** Aborted when the worker stops: lines that wait for a slot go back to their workflow, unsent. */
  readonly stopping: AbortSignal;
  readonly clock: Clock;
}

/** One line with what its group has found out for all of them. */
export interface LineServing {
  readonly input: ServeLinesInput;
  readonly task: LineTask;
  readonly row: ChunkRow;
  readonly spend: GroupSpend;
  /** The lane's prices. */
  readonly costMicros: CostMicros;
}

const SLOT_PRIORITY: Readonly<Record<BatchPriority, SlotPriority>> = {
  high: 'batch_high',
  normal: 'batch',
  low: 'batch_low',
};

/** Tries one line on the lane, and stores its outcome where it has one. */
export async function serveLine(deps: ServeLineDeps, serving: LineServing): Promise<LineResult> {
  const { input, task, row, spend, costMicros } = serving;
  const { batchId, keyId, lane } = input;
  const { line, attempt, previous } = task;
  const itemId = lineKey(batchId, line);
  const heldMicros = spend.held(line);
  if (heldMicros === undefined) return notAllowed(deps, serving);
  const { outcome, record, billed } = await tryOnLane(deps, serving, itemId, heldMicros);
  const facts = {
    batchId,
    keyId,
    line,
    customId: row.customId,
    model: String(row.body['model']),
    attempts: [...previous, record],
    at: deps.clock.now(),
  };
  const paid =
    billed === undefined
      ? { costs: costsOfFailures(facts.attempts) }
      : {
          costs: costsOf(costMicros, lane, billed.usage),
          ledgerKey: lineAttemptKey(itemId, attempt, deliveryOf(Context.current().info)),
        };
  if (outcome.ok) {
    const { body, usage } = outcome;
    await deps.recorder.record(
      batchId,
      toLineEntry({ ...facts, ...paid, kind: 'completed', status: 200, body, lane, usage }),
    );
    return { line, record };
  }
  const { failure, callerAnswer } = outcome;
  if (failure.class === 'caller_fault') {
    const { status, body } = callerAnswer ?? ownAnswer(failure);
    await deps.recorder.record(
      batchId,
      toLineEntry({ ...facts, ...paid, kind: 'failed', status, body, lane, usage: billed?.usage ?? null }),
    );
  }
  return { line, record, failure };
}

/** The attempt, with what it cost, or may have cost, counted however it ends. */
async function tryOnLane(
  deps: ServeLineDeps,
  { input, task, row, spend, costMicros }: LineServing,
  itemId: string,
  heldMicros: number,
): Promise<TriedLane> {
  const { batchId, lane, expiresAt, priority = 'normal' } = input;
  let isSent = false;
  let isCounted = false;
  const count = (micros: number): void => {
    isCounted = true;
    spend.charge(micros);
  };
  try {
    return await tryLane(deps.host, deps.clock, {
      itemId,
      operation: row.operation,
      body: row.body,
      lane,
      attempt: task.attempt,
      priority: SLOT_PRIORITY[priority],
      deadlineAt: expiresAt,
      stream: false,
      stopping: deps.stopping,
      onChunk: () => Promise.resolve(),
      heldBack: () => deps.heldBack(batchId, spend.isMetered),
      onSent: () => (isSent = true),
      onEnd: (given) =>
        count(chargeOf(given, heldMicros, given.ok ? countedMicros(costMicros, lane, given.usage) : null)),
    });
  } finally {
    // What failed before it went out, because the database did not say whether it may, has cost nothing.
    if (isSent && !isCounted) count(heldMicros);
  }
}

/** There is no money for the line on this lane. The upstream saw nothing of it. */
function notAllowed({ clock }: ServeLineDeps, { input, task, spend }: LineServing): LineResult {
  const { line, attempt } = task;
  const failure = spend.refusal(line);
  if (failure === undefined) throw new Error(`line ${line} has no hold, and nobody says why`);
  const { class: outcome, reachedUpstream, reason } = failure;
  const shared = { laneId: input.lane.laneId, attempt, startedAt: clock.now(), durationMs: 0 };
  return { line, failure, record: { ...shared, outcome, reachedUpstream, reason } };
}
