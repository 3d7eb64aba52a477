import type { LineResult, LineTask, ServeLinesInput } from '../../core/contracts/batch.ts';
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
      return results.map((result) => {
        if (result.status === 'rejected') throw result.reason;
        return result.value;
      });
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
