import type { LineTask } from '../../core/contracts/batch.ts';
import { attemptKey, lineKey } from '../../core/contracts/ids.ts';
import type { BatchSpendStore } from '../../store/batch-spend.ts';
import type { LedgerStore } from '../../store/ledger.ts';

interface LostDeliveriesDeps {
  readonly batchSpend: BatchSpendStore;
  readonly ledger: Pick<LedgerStore, 'listOfItem'>;
}

interface LostDeliveries {
  readonly batchId: string;
  readonly lines: readonly LineTask[];
  /** The most that each line without an outcome may cost. */
  readonly mostOf: ReadonlyMap<number, number>;
  readonly keyOf: (delivery: number) => string;
  /** The one that runs now. */
  readonly delivery: number;
}

/**
 * Ends the holds of deliveries whose worker died. What the ledger knows of them counts as it is; a line without an outcome that
 * the ledger knows nothing of may have been paid for, and counts with all that it may have cost.
 */
export async function settleLostDeliveries(
  { batchSpend, ledger }: LostDeliveriesDeps,
  { batchId, lines, mostOf, keyOf, delivery }: LostDeliveries,
): Promise<void> {
  const { holds } = await batchSpend.find(batchId);
  for (let lost = 1; lost < delivery; lost++) {
    const hold = keyOf(lost);
    const heldMicros = holds[hold];
    if (heldMicros === undefined) continue;
    const spent = await Promise.all(
      lines.map(async ({ line, attempt }) => {
        const itemId = lineKey(batchId, line);
        const paid = (await ledger.listOfItem(itemId)).find(({ _id }) => _id === attemptKey(itemId, attempt, lost));
        const known = paid?.costMicros ?? null;
        return { known: known ?? 0, unknown: known === null ? (mostOf.get(line) ?? 0) : 0 };
      }),
    );
    const known = spent.reduce((total, line) => total + line.known, 0);
    const unknown = spent.reduce((total, line) => total + line.unknown, 0);
    await batchSpend.settle(batchId, hold, heldMicros, Math.max(known, Math.min(heldMicros, known + unknown)));
  }
}
