import { LRUCache } from 'lru-cache';
import type { Clock } from '../../core/clock.ts';
import type { PaceSample } from '../../core/wire/batch-progress.ts';

/** A rate over a minute needs no finer notes, and each is part of the document that progress is read from. */
const NOTE_EVERY_MS = 5_000;

/** Batches whose lines are counted between two notes; of one more than this a few seconds are missing in its rate. */
const BATCHES_KEPT = 1_000;

/** Gathers how many lines of a batch were done, so that only now and then something has to be noted of it. */
export interface PaceNotes {
  /** Counts lines that are done; with `pace` when a note is due. */
  count(batchId: string, lines: number): { readonly pace?: PaceSample };
}

export function createPaceNotes(clock: Clock): PaceNotes {
  const open = new LRUCache<string, { lines: number; notedAt: number }>({ max: BATCHES_KEPT });
  return {
    count(batchId, lines) {
      const at = clock.now();
      const kept = open.get(batchId) ?? { lines: 0, notedAt: Number.NEGATIVE_INFINITY };
      kept.lines += lines;
      const isDue = kept.lines > 0 && at - kept.notedAt >= NOTE_EVERY_MS;
      const pace = isDue ? { pace: { at, lines: kept.lines } } : {};
      open.set(batchId, isDue ? { lines: 0, notedAt: at } : kept);
      return pace;
    },
  };
}
