import { Context } from '@temporalio/activity';
import type { LineResult, LineTask, ServeLinesInput } from '../../core/contracts/batch.ts';
import { attemptKey, lineKey } from '../../core/contracts/ids.ts';
import type { ChunkReader, ChunkRow } from '../batch/load-chunk.ts';
import { costsOf, NO_COSTS, type CostMicros } from '../../lanes/prices/costs.ts';
import { withHeartbeat } from './heartbeat.ts';
import { ownAnswer } from '../../core/failure-answer.ts';
import type { LaneHost } from '../../lanes/policy/hosted-lane.ts';
import { toLineEntry } from './line-entry.ts';
import type { LineRecorder, LineRecorderDeps } from './line-recorder.ts';
import { tryLane } from './try-lane.ts';

export interface ServeLinesDeps extends LineRecorderDeps {
  readonly host: LaneHost;
  readonly chunkReader: ChunkReader;
  readonly recorder: LineRecorder;
  readonly costMicros: CostMicros;
}

/**
 * Tries lines of a batch on one lane, side by side as far as the lane has slots. A line's outcome is stored before it
 * counts as done; a line that has one already is not sent again.
 */
export function createServeLines(deps: ServeLinesDeps) {
  return async function serveLines(input: ServeLinesInput): Promise<LineResult[]> {
    return withHeartbeat(async () => {
      const rows = new Map(
        (await deps.chunkReader.read(input.batchId, input.chunkIndex)).map((row) => [row.line, row]),
      );
      const done = await linesWithOutcome(deps, input);
      const results = await Promise.allSettled(
        input.lines.map(async (task) => {
          const row = rows.get(task.line);
          if (row === undefined) throw new Error(`line ${task.line} is not in chunk ${input.chunkIndex}`);
          return done.has(task.line) ? doneBefore(deps, input, task) : serveLine(deps, input, task, row);
        }),
      );
      // Only when all are over: Temporal tries a failed activity again, and a line that is still out would go twice.
      return results.map((result) => {
        if (result.status === 'rejected') throw result.reason;
        return result.value;
      });
    });
  };
}

/** A first try has no outcome to find; after a lost attempt there may be one. */
async function linesWithOutcome(deps: ServeLinesDeps, { batchId, lines }: ServeLinesInput): Promise<Set<number>> {
  const isFirst = Context.current().info.attempt === 1 && lines.every(({ previous }) => previous.length === 0);
  if (isFirst) return new Set();
  const numbers = lines.map(({ line }) => line);
  const first = Math.min(...numbers);
  const outcomes = await deps.results.outcomes(batchId, first, Math.max(...numbers) - first + 1);
  return new Set(outcomes.map(({ line }) => line));
}

function doneBefore(deps: ServeLinesDeps, { lane }: ServeLinesInput, { line, attempt }: LineTask): LineResult {
  const record = { laneId: lane.laneId, attempt, outcome: 'answered', reachedUpstream: false } as const;
  return { line, record: { ...record, startedAt: deps.clock.now(), durationMs: 0, reason: 'had its outcome before' } };
}

async function serveLine(
  deps: ServeLinesDeps,
  input: ServeLinesInput,
  task: LineTask,
  row: ChunkRow,
): Promise<LineResult> {
  const { batchId, keyId, lane, expiresAt } = input;
  const { line, attempt, previous } = task;
  const itemId = lineKey(batchId, line);
  const { outcome, record, billed } = await tryLane(deps.host, deps.clock, {
    itemId,
    body: row.body,
    lane,
    attempt,
    priority: 'batch',
    deadlineAt: expiresAt,
    stream: false,
    onChunk: () => Promise.resolve(),
  });
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
      ? { costs: NO_COSTS }
      : {
          costs: costsOf(deps.host.find(lane.laneId)?.costMicros ?? deps.costMicros, lane, billed.usage),
          ledgerKey: attemptKey(itemId, attempt, Context.current().info.attempt),
        };
  if (outcome.ok) {
    await deps.recorder.record(
      batchId,
      toLineEntry({
        ...facts,
        ...paid,
        kind: 'completed',
        status: 200,
        body: outcome.body,
        lane,
        usage: outcome.usage,
      }),
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
