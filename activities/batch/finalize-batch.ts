import type { Clock } from '../../core/clock.ts';
import { TERMINAL_BATCH_STATES } from '../../core/contracts/batch.ts';
import type { BatchResultStore } from '../../store/batch-results.ts';
import type { BatchDoc, BatchStore } from '../../store/batches.ts';
import type { FileStore } from '../../store/files.ts';
import { releaseFile } from '../../store/release-file.ts';
import type { LaneLogStore } from '../../store/lane-log.ts';
import type { LedgerStore } from '../../store/ledger.ts';
import type { ChunkReader } from './load-chunk.ts';
import { repairLog } from './repair-log.ts';
import { settleRest, type RestOutcome } from './settle-rest.ts';
import { writeResultFile } from './write-result-file.ts';

export interface FinalizeBatchInput {
  readonly batchId: string;
  readonly reason: 'completed' | 'expired' | 'cancelled';
}

export interface FinalizeBatchDeps {
  readonly files: FileStore;
  readonly batches: BatchStore;
  readonly results: BatchResultStore;
  readonly laneLog: LaneLogStore;
  readonly ledger: LedgerStore;
  readonly chunkReader: ChunkReader;
  readonly clock: Clock;
  /** Says that the work goes on. May throw to end it (cancelled, worker stopping). */
  readonly checkIn: (done: number) => void;
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
 * counts and times. The documents of the files are inserted just before that update, when their bytes are whole; until it
 * their ids are told to nobody. Safe to run twice, and at once.
 * @throws Error when the batch does not exist, or should be completed and a line has no outcome.
 */
export function createFinalizeBatch(deps: FinalizeBatchDeps) {
  const { batches, clock } = deps;

  const load = async (batchId: string): Promise<BatchDoc> => {
    const batch = await batches.find(batchId);
    if (batch === null) throw new Error(`There is no batch ${batchId}.`);
    return batch;
  };

  const writeFile = async (batch: BatchDoc, kind: 'completed' | 'failed', lines: readonly number[]) =>
    lines.length === 0 ? null : writeResultFile(deps, batch, kind, lines, () => clock.now());

  /** One try; null when the batch changed meanwhile. */
  const end = async (batch: BatchDoc, reason: FinalizeBatchInput['reason']): Promise<BatchDoc | null> => {
    const { counts, usage, lines } = await settleRest(deps, batch, REST[reason], clock.now());
    if (reason === 'completed' && batch.status !== 'finalizing') {
      if ((await batches.transition(batch._id, 'finalizing', clock.now())) === null) return null;
    }
    await repairLog(deps, batch);
    const outputFileId = await writeFile(batch, 'completed', lines.completed);
    const errorFileId = await writeFile(batch, 'failed', lines.failed);
    const patch = { counts, usage, outputFileId, errorFileId };
    return batches.transition(batch._id, reason, clock.now(), patch, { chunks: batch.chunks });
  };

  return async function finalizeBatch({ batchId, reason }: FinalizeBatchInput): Promise<void> {
    let batch = await load(batchId);
    for (let tries = 0; !TERMINAL_BATCH_STATES.includes(batch.status); tries++) {
      if (tries >= TRIES) throw new Error(`Batch ${batchId} is ${batch.status} and can't become ${reason}.`);
      const ending = endingOf(batch, reason);
      if (ending === 'cancelled') await batches.transition(batchId, 'cancelling', clock.now());
      batch = (await end(batch, ending)) ?? (await load(batchId));
    }
    await releaseFile(deps, batch.inputFileId, clock.now());
  };
}

/**
 * What the batch says of itself counts more than the reason that was passed: a cancel that was accepted is kept to, though all
 * lines came through; a batch that was complete before its time is not expired because its end took longer.
 */
function endingOf({ status }: BatchDoc, reason: FinalizeBatchInput['reason']): FinalizeBatchInput['reason'] {
  if (status === 'cancelling') return 'cancelled';
  return status === 'finalizing' ? 'completed' : reason;
}
