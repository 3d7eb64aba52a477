import type { KeepAttemptsInput } from '../../core/contracts/batch.ts';
import { chunkKey } from '../../core/contracts/ids.ts';
import type { BatchChunkStore } from '../../store/batch-chunks.ts';

/**
 * The activity that keeps what was tried for lines of a chunk that is cancelled. Only the end of the batch gives them their outcome,
 * and what it writes of them in the lane log says then what was tried. Safe to repeat.
 */
export function createKeepAttempts({ chunks }: { readonly chunks: Pick<BatchChunkStore, 'keepTried'> }) {
  return ({ batchId, chunkIndex, lines }: KeepAttemptsInput): Promise<void> =>
    chunks.keepTried(chunkKey(batchId, chunkIndex), lines);
}
