import type { LineTask } from '../../core/contracts/batch.ts';
import { lineAttemptKey, lineKey } from '../../core/contracts/ids.ts';
import type { BatchSpendStore } from '../../store/batch-spend.ts';
import type { LedgerStore } from '../../store/ledger.ts';
import type { Delivery } from './delivery-of.ts';

interface LostDeliveriesDeps {
  readonly batchSpend: BatchSpendStore;
  readonly ledger: Pick<LedgerStore, 'listOfItem'>;
}

interface LostDeliveries {
  readonly batchId: string;
  readonly lines: readonly LineTask[];
  /** The most that each line may cost. */
  readonly mostOf: ReadonlyMap<number, number>;
  /** Lines without an outcome. */
  readonly isOpen: ReadonlySet<number>;
  readonly keyOf: (delivery: Delivery) => string;
  /** The one that runs now. */
  readonly delivery: Delivery;
}

/**
 * Ends the holds of deliveries whose worker died. What the ledger knows of them counts as it is; a line without an outcome that
 * the ledger knows nothing of may have been paid for, and counts with all that it may have cost; so does an answer of which
 * the ledger knows no price.
 */
export async function settleLostDeliveries(
  { batchSpend, ledger }: LostDeliveriesDeps,
  { batchId, lines, mostOf, isOpen, keyOf, delivery }: LostDeliveries,
): Promise<void> {
  const { holds } = await batchSpend.find(batchId);
  for (let before = 1; before < delivery.delivery; before++) {
    const lost = { ...delivery, delivery: before };
    const hold = keyOf(lost);
    const heldMicros = holds[hold];
    if (heldMicros === undefined) continue;
    const spent = await Promise.all(
      lines.map(async ({ line, attempt }) => {
        const itemId = lineKey(batchId, line);
        const paid = (await ledger.listOfItem(itemId)).find(({ _id }) => _id === lineAttemptKey(itemId, attempt, lost));
        const known = paid?.costMicros ?? null;
        const isUnknown = known === null && (paid !== undefined || isOpen.has(line));
        return { known: known ?? 0, unknown: isUnknown ? (mostOf.get(line) ?? 0) : 0 };
      }),
    );
    const known = spent.reduce((total, line) => total + line.known, 0);
    const unknown = spent.reduce((total, line) => total + line.unknown, 0);
    await batchSpend.settle(batchId, hold, heldMicros, Math.max(known, Math.min(heldMicros, known + unknown)));
  }
}
