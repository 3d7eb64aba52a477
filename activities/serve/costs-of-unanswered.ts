import type { AttemptRecord } from '../../core/contracts/failure.ts';
import type { LedgerStore } from '../../store/ledger.ts';
import { costsOfFailures, type Costs } from '../../lanes/prices/costs.ts';

/**
 * What a request cost that got no answer: upstreams may have answered all the same, in a delivery that was lost, say, and the ledger has
 * it. Unknown where that of one attempt is.
 * @param attempts all of the request
 */
export async function costsOfUnanswered(
  { ledger }: { readonly ledger: Pick<LedgerStore, 'listOfItem'> },
  requestId: string,
  attempts: readonly AttemptRecord[],
): Promise<Costs> {
  const costs = costsOfFailures(attempts);
  if (costs.costMicros === null) return costs;
  const rows = await ledger.listOfItem(requestId);
  if (rows.length === 0) return costs;
  return { costMicros: sum(rows.map((row) => row.costMicros)), meterMicros: sum(rows.map((row) => row.meterMicros)) };
}

/** Null where one of them is not known. */
function sum(amounts: readonly (number | null)[]): number | null {
  return amounts.reduce((total, micros) => (total === null || micros === null ? null : total + micros), 0);
}
