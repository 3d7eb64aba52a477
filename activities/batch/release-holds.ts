import type { Clock } from '../../core/clock.ts';
import { isDeadHold } from '../../core/contracts/holds.ts';
import type { BatchSpendStore } from '../../store/batch-spend.ts';

interface ReleaseHoldsDeps {
  readonly batchSpend: BatchSpendStore;
  readonly now: Clock['now'];
}

/**
 * Ends the holds that nobody is left to end, and says how many: all of a batch that is over, else those without a sign of life. What
 * became of the money is not known, so it counts as spent: the limit of a batch holds whatever died.
 */
export async function releaseHolds(
  { batchSpend, now }: ReleaseHoldsDeps,
  batchId: string,
  which: 'all' | 'dead',
): Promise<number> {
  const { holds, aliveAt = {} } = await batchSpend.find(batchId);
  let released = 0;
  for (const [key, micros] of Object.entries(holds)) {
    if (which === 'dead' && !isDeadHold(key, aliveAt[key], now())) continue;
    const isReleased =
      which === 'all'
        ? await batchSpend.settle(batchId, key, micros, micros)
        : await batchSpend.settleDead(batchId, key, micros, aliveAt[key]);
    if (isReleased) released += 1;
  }
  return released;
}
