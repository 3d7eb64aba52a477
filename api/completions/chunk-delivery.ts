import { setTimeout as sleep } from 'node:timers/promises';
import { LINGER_LIMIT_MS } from '../../core/contracts/timings.ts';
import type { ReplyChunk } from './run-completion.ts';

/** The chunks of one answer on their way to its caller. */
export interface ChunkDelivery {
  /** Passes a chunk on. Resolves when the caller can take more; false when the caller is gone. */
  pass(chunk: ReplyChunk): Promise<boolean>;
  /**
   * Resolves when no chunk is on its way any more: none waits for the caller, and the channel has brought none for a while. At
   * once where there was none ever, and at the latest after LINGER_LIMIT_MS, or when nobody waits any more.
   */
  ceased(isWaitedFor: () => boolean): Promise<void>;
}

/** A channel that lives brings the next chunk as soon as the caller has room for it; one that brings none for this long is lost. */
const SILENT_FOR_MS = 5_000;

/** @param onChunk resolves when the caller can take more; false when the caller is gone */
export function createChunkDelivery(onChunk: (chunk: ReplyChunk) => Promise<boolean>): ChunkDelivery {
  let begun = 0;
  let taken = 0;
  return {
    async pass(chunk) {
      begun += 1;
      try {
        return await onChunk(chunk);
      } finally {
        taken += 1;
      }
    },
    async ceased(isWaitedFor) {
      if (begun === 0) return;
      for (let waitedMs = 0; waitedMs < LINGER_LIMIT_MS && isWaitedFor(); waitedMs += SILENT_FOR_MS) {
        const before = taken;
        await sleep(SILENT_FOR_MS, undefined, { ref: false });
        if (taken === before && begun === taken) return;
      }
    },
  };
}
