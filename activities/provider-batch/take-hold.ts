import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/log.ts';
import { persist } from '../../core/persist.ts';
import type { BatchSpendStore } from '../../store/batch-spend.ts';

export interface TakeHoldDeps {
  readonly spend: Pick<BatchSpendStore, 'find' | 'hold' | 'renew' | 'giveBack'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The money of a try, in the hands of one of its deliveries. */
export interface TakenHold {
  /** No delivery before this one can have sent anything. */
  readonly isNew: boolean;
  /** Ends the hold with nothing spent, unless another delivery has taken it since: that one may be sending. */
  giveBack(): Promise<void>;
}

/**
 * Holds an amount for a try. All its deliveries share the one hold, and it is in the hands of the one that has come last. Undefined
 * where there is no room.
 * @param hold the key of the try
 */
export async function takeHold(
  { spend, clock, log }: TakeHoldDeps,
  batchId: string,
  hold: string,
  micros: number,
): Promise<TakenHold | undefined> {
  // A sign of life that no other delivery gives: there are 4,096 of them in the millisecond.
  const aliveAt = clock.now() + Math.random();
  const giveBack = async (): Promise<void> =>
    void (await persist(log, () => spend.giveBack(batchId, hold, micros, aliveAt)));
  // A second round where the hold of another delivery was given back before it could be taken over.
  for (;;) {
    if (!(await persist(log, () => spend.hold(batchId, hold, micros, aliveAt)))) return undefined;
    const isNew = (await persist(log, () => spend.find(batchId))).aliveAt?.[hold] === aliveAt;
    if (isNew || (await persist(log, () => spend.renew(batchId, hold, aliveAt)))) return { isNew, giveBack };
  }
}
