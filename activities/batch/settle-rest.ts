import { createHash } from 'node:crypto';
import { lineKey } from '../../core/contracts/ids.ts';
import type { BatchChunkDoc } from '../../store/batch-chunks.ts';
import type { BatchResultDoc, BatchResultStore, OutcomeCount } from '../../store/batch-results.ts';
import type { ChunkReader } from './load-chunk.ts';

/** What lines get that were not served before their batch was over. */
export type RestOutcome = { readonly code: 'batch_expired' | 'batch_cancelled'; readonly message: string };

export interface SettleRestDeps {
  readonly results: BatchResultStore;
  readonly chunkReader: ChunkReader;
}

/**
 * Gives the lines of a chunk that have no outcome the one that is passed, and returns what counts of all outcomes. After it
 * none of them can change any more, so what is written from them is the same however often it is written. Where rows are gone
 * nobody knows the `custom_id` of their lines, and those without an outcome stay without.
 * @param rest null when every line must have its outcome already.
 * @throws Error when `rest` is null and a line has none: nothing is lost silently.
 */
export async function settleRest(
  { results, chunkReader }: SettleRestDeps,
  { batchId, chunkIndex, firstLine, lineCount }: BatchChunkDoc,
  rest: RestOutcome | null,
  at: number,
): Promise<readonly OutcomeCount[]> {
  const outcomes = await results.outcomes(batchId, firstLine, lineCount);
  if (outcomes.length === lineCount) return outcomes;
  if (rest === null) {
    throw new Error(`${lineCount - outcomes.length} lines of chunk ${chunkIndex} of ${batchId} have no outcome.`);
  }
  const done = new Set(outcomes.map(({ line }) => line));
  const rows = await chunkReader.readWhatIsLeft(batchId, chunkIndex);
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
