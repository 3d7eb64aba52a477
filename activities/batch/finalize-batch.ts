import { TERMINAL_BATCH_STATES, type BatchStatus } from '../../core/contracts/batch.ts';
import type { ChunkSeal, SealedPart } from '../../store/batch-chunks.ts';
import { addUsage, NO_USAGE } from '../../core/token-usage.ts';
import type { BatchError } from '../../core/wire/batch-object.ts';
import type { BatchDoc, BatchStore } from '../../store/batches.ts';
import type { BatchSpendStore } from '../../store/batch-spend.ts';
import type { FileStore } from '../../store/files.ts';
import { sumTallies } from '../../store/lane-tallies.ts';
import { releaseFile, releaseLines } from '../../store/release-file.ts';
import { releaseHolds } from './release-holds.ts';
import { sealChunk, type SealChunkDeps } from './seal-chunk.ts';
import type { RestOutcome } from './settle-rest.ts';
import { writeResultFile } from './write-result-file.ts';

export interface FinalizeBatchInput {
  readonly batchId: string;
  readonly reason: 'completed' | 'expired' | 'cancelled';
}

export interface FinalizeBatchDeps extends SealChunkDeps {
  readonly files: FileStore;
  readonly batches: BatchStore;
  readonly batchSpend: BatchSpendStore;
}

/** What becomes of lines that were not served. */
const REST: Record<FinalizeBatchInput['reason'], RestOutcome | null> = {
  completed: null,
  expired: {
    code: 'batch_expired',
    message: 'This request could not be executed before the completion window expired.',
  },
  cancelled: { code: 'batch_cancelled', message: 'This request was not executed because the batch was cancelled.' },
};

/** A cancel or a late validation can come between what was read and the last update; each can do so once. */
const TRIES = 4;

/**
 * The activity that ends a batch: every line gets an outcome, the files are written, and one update sets status, file ids,
 * counts and times. The bytes of the
 * files were written as the chunks ended; their documents are inserted just before that update, and until it
 * their ids are told to nobody. Safe to run twice, and at once.
 * @throws Error when the batch does not exist, or should be completed and a line has no outcome.
 */
export function createFinalizeBatch(deps: FinalizeBatchDeps) {
  const { batches, now } = deps;

  const load = async (batchId: string): Promise<BatchDoc> => {
    const batch = await batches.find(batchId);
    if (batch === null) throw new Error(`There is no batch ${batchId}.`);
    return batch;
  };

  const sealAll = async (batch: BatchDoc, rest: RestOutcome | null): Promise<readonly ChunkSeal[]> => {
    const seals: ChunkSeal[] = [];
    for (let chunkIndex = 0; chunkIndex < batch.chunks; chunkIndex++) {
      seals.push(await sealChunk(deps, batch, chunkIndex, rest));
      deps.checkIn(chunkIndex + 1);
    }
    return seals;
  };

  /** One try; null when the batch changed meanwhile. */
  const end = async (batch: BatchDoc, reason: FinalizeBatchInput['reason']): Promise<BatchDoc | null> => {
    const seals = await sealAll(batch, REST[reason]);
    if (reason === 'completed' && batch.status !== 'finalizing') {
      if ((await batches.transition(batch._id, 'finalizing', now())) === null) return null;
    }
    const completed = seals.map((seal) => seal.completed);
    const failed = seals.map((seal) => seal.failed);
    const { total } = batch.counts;
    const answered = countLines(completed);
    const lost = total - answered - countLines(failed);
    const patch = {
      counts: { total, completed: answered, failed: total - answered },
      ...(lost === 0 ? {} : { errors: [inputLost(batch, lost)] }),
      usage: seals.reduce((sum, { usage }) => addUsage(sum, usage), NO_USAGE),
      byLane: sumTallies(seals.map(({ byLane }) => byLane)),
      outputFileId: await writeResultFile(deps, batch, 'completed', completed, now()),
      errorFileId: await writeResultFile(deps, batch, 'failed', failed, now()),
    };
    return batches.transition(batch._id, reason, now(), patch, { chunks: batch.chunks });
  };

  return async function finalizeBatch({ batchId, reason }: FinalizeBatchInput): Promise<BatchStatus> {
    let batch = await load(batchId);
    for (let tries = 0; !TERMINAL_BATCH_STATES.includes(batch.status); tries++) {
      if (tries >= TRIES) throw new Error(`Batch ${batchId} is ${batch.status} and can't become ${reason}.`);
      const ending = endingOf(batch, reason);
      if (ending === 'cancelled') await batches.transition(batchId, 'cancelling', now());
      batch = (await end(batch, ending)) ?? (await load(batchId));
    }
    await releaseHolds(deps, batchId, 'all');
    await releaseFile(deps, batch.inputFileId, now());
    // Of one that never came to run nobody reads the lines again; of others they go with the results.
    if (batch.chunks === 0) await releaseLines(deps.files, batch);
    return batch.status;
  };
}

function countLines(parts: readonly SealedPart[]): number {
  return parts.reduce((sum, { lines }) => sum + lines, 0);
}

/** Lines whose row is gone can't be in the error file, which tells lines by their `custom_id`. */
function inputLost({ inputFileId }: BatchDoc, lines: number): BatchError {
  const message = `Bytes of the input file ${inputFileId} are gone: ${lines} lines without an answer are counted as failed, and not in the error file. Create a new batch of the rows that are in neither file.`;
  return { code: 'input_lost', message, param: 'input_file_id', line: null };
}

/**
 * What the batch says of itself counts more than the reason that was passed: a cancel that was accepted is kept to, though all
 * lines came through; a batch that was complete before its time is not expired because its end took longer.
 */
function endingOf({ status }: BatchDoc, reason: FinalizeBatchInput['reason']): FinalizeBatchInput['reason'] {
  if (status === 'cancelling') return 'cancelled';
  return status === 'finalizing' ? 'completed' : reason;
}
