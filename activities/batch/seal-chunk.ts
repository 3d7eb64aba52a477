import { randomBytes } from 'node:crypto';
import { toOutputLine } from '../../core/wire/batch-output-line.ts';
import type { BatchChunkDoc, BatchChunkStore, ChunkSeal, SealedPart } from '../../store/batch-chunks.ts';
import type { BatchResultDoc, BatchResultStore, OutcomeCount } from '../../store/batch-results.ts';
import { addUsage, NO_USAGE } from '../../core/token-usage.ts';
import type { BatchDoc, BatchStore } from '../../store/batches.ts';
import type { FileStore } from '../../store/files.ts';
import { tallyByLane } from '../../store/lane-tallies.ts';
import { repairLog, type RepairLogDeps } from './repair-log.ts';
import { settleRest, type RestOutcome } from './settle-rest.ts';

export interface SealChunkDeps extends RepairLogDeps {
  readonly files: Pick<FileStore, 'bytes'>;
  readonly batches: Pick<BatchStore, 'find'>;
  readonly chunks: Pick<BatchChunkStore, 'seal'>;
  readonly results: BatchResultStore;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Says that the work goes on. May throw to end it. */
  readonly checkIn: (done: number) => void;
}

/**
 * Ends a chunk whose lines all have their outcome: writes what they add to the batch's files, makes up for entries that the
 * lane log lacks, and notes the counts. So the end of a batch, however large, has only to put parts together. Safe to run
 * twice, and at once: the first seal stands, and outcomes never change.
 * @param rest what lines get that have no outcome; null when every line must have one.
 * @throws Error when `rest` is null and a line has none: nothing is lost silently.
 */
export async function sealChunk(
  deps: SealChunkDeps,
  batch: BatchDoc,
  chunkIndex: number,
  rest: RestOutcome | null,
): Promise<ChunkSeal> {
  const chunk = await deps.chunkReader.find(batch._id, chunkIndex);
  if (chunk.seal !== undefined) return chunk.seal;
  const outcomes = await settleRest(deps, chunk, rest, deps.now());
  await repairLog(deps, batch, chunk, deps.now());
  const completed = await writePart(deps, chunk, 'completed', outcomes);
  const failed = await writePart(deps, chunk, 'failed', outcomes);
  const usage = outcomes.reduce((sum, outcome) => addUsage(sum, outcome.usage), NO_USAGE);
  const bodyIds = [completed, failed].flatMap(({ bodyId }) => bodyId ?? []);
  const { bytes } = deps.files;
  const seal = await deps.chunks.seal(chunk._id, { completed, failed, usage, byLane: tallyByLane(outcomes) });
  const isOwn = seal.completed.bodyId === completed.bodyId && seal.failed.bodyId === failed.bodyId;
  for (const bodyId of bodyIds) await (isOwn ? bytes.claim(bodyId) : bytes.remove(bodyId));
  return seal;
}

/** The activity at the end of each chunk. */
export function createSealChunk(deps: SealChunkDeps) {
  return async ({ batchId, chunkIndex }: { readonly batchId: string; readonly chunkIndex: number }): Promise<void> => {
    const batch = await deps.batches.find(batchId);
    if (batch === null) throw new Error(`There is no batch ${batchId}.`);
    await sealChunk(deps, batch, chunkIndex, null);
  };
}

async function writePart(
  deps: SealChunkDeps,
  chunk: BatchChunkDoc,
  kind: BatchResultDoc['kind'],
  outcomes: readonly OutcomeCount[],
): Promise<SealedPart> {
  const lines = outcomes.filter((outcome) => outcome.kind === kind);
  if (lines.length === 0) return { lines: 0, bytes: 0, bodyId: null };
  const bodyId = `${chunk._id}.${kind}.${randomBytes(8).toString('hex')}`;
  const { bytes } = await deps.files.bytes.write(bodyId, resultLines(deps, chunk.batchId, lines));
  return { lines: lines.length, bytes, bodyId };
}

/** Line by line: large answers together would be longer than a string can be. */
async function* resultLines(
  { results, checkIn }: SealChunkDeps,
  batchId: string,
  lines: readonly OutcomeCount[],
): AsyncGenerator<string, void, undefined> {
  let done = 0;
  for await (const outcome of results.readWhole(batchId, lines)) {
    yield toOutputLine(outcome);
    checkIn(++done);
  }
}
