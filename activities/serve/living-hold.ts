import type { Clock } from '../../core/clock.ts';
import { HOLD_IS_RENEWED_EVERY_MS } from '../../core/contracts/holds.ts';
import type { Logger } from '../../core/log.ts';
import type { BatchSpendStore } from '../../store/batch-spend.ts';

/** How often it is looked whether a renewal is due: one that failed, or that a machine has slept through, comes this late at most. */
const LOOK_EVERY_MS = 60_000;

interface LivingHoldDeps {
  readonly batchSpend: Pick<BatchSpendStore, 'renew'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Renews a hold now and then, from the moment when it was made until `stop` is called or somebody has ended it. However long a group
 * of lines lives, nobody takes its hold for that of a dead one.
 */
export function keepHoldAlive({ batchSpend, clock, log }: LivingHoldDeps, batchId: string, hold: string): () => void {
  let renewedAt = clock.now();
  let isRenewing = false;
  const renewWhenDue = async (): Promise<void> => {
    const now = clock.now();
    if (isRenewing || now - renewedAt < HOLD_IS_RENEWED_EVERY_MS) return;
    isRenewing = true;
    try {
      // What somebody else has ended counts as spent: no later sign of life changes that.
      if (!(await batchSpend.renew(batchId, hold, now))) stop();
      renewedAt = now;
    } catch (error) {
      log.warn({ err: error, batchId }, 'a hold could not be renewed; trying again');
    } finally {
      isRenewing = false;
    }
  };
  const timer = setInterval(() => void renewWhenDue(), LOOK_EVERY_MS);
  const stop = (): void => clearInterval(timer);
  return stop;
}
