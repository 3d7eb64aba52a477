import { CancelledFailure, Context } from '@temporalio/activity';
import type { CutLine, LineResult, LineTask, ServeLinesInput } from '../../core/contracts/batch.ts';
import type { AttemptRecord } from '../../core/contracts/failure.ts';
import type { CostMicros } from '../../lanes/prices/costs.ts';
import type { BatchResultStore } from '../../store/batch-results.ts';
import type { ChunkReader, ChunkRow } from '../batch/load-chunk.ts';
import { openGroupSpend, type GroupSpendDeps } from './group-spend.ts';
import { withHeartbeat } from './heartbeat.ts';
import type { LinePace } from './line-pace.ts';
import { serveLine, type ServeLineDeps } from './serve-line.ts';

export interface ServeLinesDeps extends ServeLineDeps, GroupSpendDeps {
  readonly results: BatchResultStore;
  readonly chunkReader: ChunkReader;
  readonly pace: Pick<LinePace, 'turn'>;
  /** Prices of lanes whose owner has set none. */
  readonly costMicros: CostMicros;
}

/**
 * Tries lines of a batch on one lane, side by side as far as the lane has slots. A line's outcome is stored before it
 * counts as done; a line that has one already is not sent again. On a metered lane only lines go out for which there is money.
 * @throws CancelledFailure when Temporal cancelled the activity while lines were out. Its details are a list of CutLine: what was on
 *   its way may be paid for
 */
export function createServeLines(deps: ServeLinesDeps) {
  return async function serveLines(input: ServeLinesInput): Promise<LineResult[]> {
    return withHeartbeat(async () => {
      const rows = new Map(
        (await deps.chunkReader.read(input.batchId, input.chunkIndex)).map((row) => [row.line, row]),
      );
      const done = await linesWithOutcome(deps, input);
      const rowOf = (task: LineTask): ChunkRow => {
        const row = rows.get(task.line);
        if (row === undefined) throw new Error(`line ${task.line} is not in chunk ${input.chunkIndex}`);
        return row;
      };
      const groupRows = input.lines.map(rowOf);
      const open = groupRows.filter(({ line }) => !done.has(line));
      const costMicros = deps.host.find(input.lane.laneId)?.costMicros ?? deps.costMicros;
      const spend = await openGroupSpend(deps, input, { rows: groupRows, open }, costMicros);
      const results = await Promise.allSettled(
        input.lines.map(async (task) => {
          if (done.has(task.line)) return doneBefore(deps, input, task);
          await deps.pace.turn();
          return serveLine(deps, { input, task, row: rowOf(task), spend, costMicros });
        }),
      );
      await spend.settle();
      // Only when all are over: Temporal tries a failed activity again, and a line that is still out would go twice.
      const failed = results.find((result) => result.status === 'rejected');
      if (failed === undefined) return results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
      if (!Context.current().cancellationSignal.aborted) throw failed.reason;
      throw new CancelledFailure('the batch was cancelled or the worker stops', [cutLines(input.lines, results)]);
    });
  };
}

/**
 * Looked for before every try, one small read a group: an attempt whose end nobody heard of may have left an outcome, and so may a
 * part of the batch that comes back from a provider. A line that is sent again is paid again.
 */
async function linesWithOutcome(deps: ServeLinesDeps, { batchId, lines }: ServeLinesInput): Promise<Set<number>> {
  const numbers = lines.map(({ line }) => line);
  const first = Math.min(...numbers);
  const outcomes = await deps.results.outcomes(batchId, first, Math.max(...numbers) - first + 1);
  return new Set(outcomes.map(({ line }) => line));
}

function doneBefore(deps: ServeLinesDeps, { lane }: ServeLinesInput, { line, attempt }: LineTask): LineResult {
  const record = { laneId: lane.laneId, attempt, outcome: 'answered', reachedUpstream: false } as const;
  return { line, record: { ...record, startedAt: deps.clock.now(), durationMs: 0, reason: 'had its outcome before' } };
}

/** Of the lines that have no outcome those that an upstream has seen something of, and those that their lane could not serve. */
function cutLines(tasks: readonly LineTask[], results: readonly PromiseSettledResult<LineResult>[]): CutLine[] {
  return tasks.flatMap(({ line }, index) => {
    const record = recordWithoutOutcome(results[index]);
    return record === undefined ? [] : [{ line, record }];
  });
}

function recordWithoutOutcome(result: PromiseSettledResult<LineResult> | undefined): AttemptRecord | undefined {
  if (result?.status === 'fulfilled') {
    const { record, failure } = result.value;
    // A caller's own fault is an outcome, and a lane that took nothing is no attempt.
    const isNone = failure === undefined || failure.class === 'caller_fault' || failure.class === 'lane_unavailable';
    return isNone ? undefined : record;
  }
  if (!(result?.reason instanceof CancelledFailure)) return undefined;
  const record = result.reason.details[0] as AttemptRecord | undefined;
  return record?.reachedUpstream === true ? record : undefined;
}
