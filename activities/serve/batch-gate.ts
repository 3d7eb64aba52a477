import { LRUCache } from 'lru-cache';
import type { Clock } from '../../core/clock.ts';
import { REPLAN_AT_LEAST_AFTER_MS } from '../../core/contracts/timings.ts';
import type { BatchControlStore, BatchLeave } from '../../store/batch-control.ts';

/** How old the picture of a batch's control may be: lines that wait for a slot look at it when they get one. */
const GOOD_FOR_MS = 500;

/** Why a line must not go out after all, and until when it is not worth asking again. */
export interface HeldBack {
  readonly why: string;
  /** Unix milliseconds. */
  readonly until: number;
}

interface BatchGateDeps {
  readonly batchControl: Pick<BatchControlStore, 'find'>;
  readonly clock: Clock;
}

/**
 * The last look before a line goes out. Its batch may have been cancelled or paused, its consent withdrawn or its limit lowered,
 * while it waited for its slot.
 */
export function createBatchGate({ batchControl, clock }: BatchGateDeps) {
  const leaves = new LRUCache<string, Promise<BatchLeave | null>>({ max: 1_000, ttl: GOOD_FOR_MS });
  const read = (batchId: string): Promise<BatchLeave | null> => {
    const known = leaves.get(batchId);
    if (known !== undefined) return known;
    const reading = batchControl.find(batchId);
    leaves.set(batchId, reading);
    reading.catch(() => leaves.delete(batchId));
    return reading;
  };

  return async function heldBack(batchId: string, isMetered: boolean): Promise<HeldBack | undefined> {
    const leave = await read(batchId);
    const until = clock.now() + REPLAN_AT_LEAST_AFTER_MS;
    if (leave === null) return undefined;
    const { control, spend } = leave;
    // A cancellation reaches the lines themselves with a heartbeat, seconds later.
    if (leave.isEnding === true) return { why: 'the batch ends or has ended', until };
    if (control.paused) return { why: 'the batch is paused', until };
    if (isMetered && control.metered === 'never') return { why: 'the batch may not cost anything any more', until };
    // The limit was lowered below what is paid and held: what has not gone out yet gives its hold back first.
    if (isMetered && spend.roomMicros < 0) return { why: 'the batch may not cost as much any more', until };
    return undefined;
  };
}

export type BatchGate = ReturnType<typeof createBatchGate>;
