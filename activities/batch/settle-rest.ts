import { createHash } from 'node:crypto';
import { lineKey } from '../../core/contracts/ids.ts';
import type { TokenUsage } from '../../core/lane-port.ts';
import type { BatchDoc } from '../../store/batches.ts';
import { addUsage, NO_USAGE } from '../../store/batches.ts';
import type { BatchResultDoc, BatchResultStore, OutcomeCount } from '../../store/batch-results.ts';
import type { ChunkReader } from './load-chunk.ts';

/** What lines get that were not served before their batch was over. */
export type RestOutcome = { readonly code: 'batch_expired' | 'batch_cancelled'; readonly message: string };

export interface SettledLines {
  readonly counts: BatchDoc['counts'];
  readonly usage: TokenUsage;
  /** The lines of each kind, in order: what the files are written from. */
  readonly lines: Readonly<Record<BatchResultDoc['kind'], readonly number[]>>;
}

export interface SettleRestDeps {
  readonly results: BatchResultStore;
  readonly chunkReader: ChunkReader;
  /** Says that the work goes on, with the chunks done so far. May throw to end it. */
  readonly checkIn: (chunksDone: number) => void;
}

/**
 * Goes through all lines of a batch, gives those without an outcome the one that is passed, and counts every outcome. After it
 * no outcome can change any more, so what is written from them is the same however often it is written.
 * @param rest null when every line must have its outcome already.
 * @throws Error when `rest` is null and a line has none: nothing is lost silently.
 */
export async function settleRest(
  deps: SettleRestDeps,
  batch: BatchDoc,
  rest: RestOutcome | null,
  at: number,
): Promise<SettledLines> {
  const lines: Record<BatchResultDoc['kind'], number[]> = { completed: [], failed: [] };
  let usage = NO_USAGE;
  for (let chunkIndex = 0; chunkIndex < batch.chunks; chunkIndex++) {
    for (const outcome of await settleChunk(deps, batch._id, chunkIndex, rest, at)) {
      lines[outcome.kind].push(outcome.line);
      usage = addUsage(usage, outcome.usage);
    }
    deps.checkIn(chunkIndex + 1);
  }
  for (const kind of [lines.completed, lines.failed]) kind.sort((a, b) => a - b);
  const counts = { total: batch.counts.total, completed: lines.completed.length, failed: lines.failed.length };
  return { counts, usage, lines };
}

async function settleChunk(
  { results, chunkReader }: SettleRestDeps,
  batchId: string,
  chunkIndex: number,
  rest: RestOutcome | null,
  at: number,
): Promise<readonly OutcomeCount[]> {
  const { firstLine, lineCount } = await chunkReader.find(batchId, chunkIndex);
  const outcomes = await results.outcomes(batchId, firstLine, lineCount);
  if (outcomes.length === lineCount) return outcomes;
  if (rest === null) {
    throw new Error(`${lineCount - outcomes.length} lines of chunk ${chunkIndex} of ${batchId} have no outcome.`);
  }
  const done = new Set(outcomes.map(({ line }) => line));
  const rows = await chunkReader.read(batchId, chunkIndex);
  const missing = rows.filter(({ line }) => !done.has(line));
  await results.insertMany(missing.map(({ line, customId }) => unserved(batchId, line, customId, rest, at)));
  // Read again: a line that was served in this very moment has kept its answer.
  return results.outcomes(batchId, firstLine, lineCount);
}

function unserved(
  batchId: string,
  line: number,
  customId: string,
  { code, message }: RestOutcome,
  at: number,
): BatchResultDoc {
  const _id = lineKey(batchId, line);
  return {
    _id,
    batchId,
    line,
    customId,
    kind: 'failed',
    statusCode: null,
    requestId: `req_${createHash('sha256').update(_id).digest('hex').slice(0, 32)}`,
    body: null,
    error: { code, message },
    laneId: null,
    usage: null,
    at,
  };
}
