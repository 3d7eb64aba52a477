import type { Clock } from '../../core/clock.ts';
import { isDeadHold } from '../../core/contracts/holds.ts';
import type { BatchSpendStore } from '../../store/batch-spend.ts';

interface ReleaseHoldsDeps {
  readonly batchSpend: BatchSpendStore;
  readonly now: Clock['now'];
}

/**
 * Ends the holds that nobody is left to end, and says how many: all of a batch that is over, else those that are too old. What
 * became of the money is not known, so it counts as spent: the limit of a batch holds whatever died.
 */
export async function releaseHolds(
  { batchSpend, now }: ReleaseHoldsDeps,
  batchId: string,
  which: 'all' | 'dead',
): Promise<number> {
  const { holds } = await batchSpend.find(batchId);
  const left = Object.entries(holds).filter(([key]) => which === 'all' || isDeadHold(key, now()));
  for (const [key, micros] of left) await batchSpend.settle(batchId, key, micros, micros);
  return left.length;
}
