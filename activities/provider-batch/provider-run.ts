import type { ProviderBatchTry } from '../../core/contracts/provider-batch.ts';
import type { CostMicros } from '../../lanes/prices/costs.ts';
import { mostCost, type PricedRequest } from '../../lanes/prices/most-cost.ts';
import type { ProviderBatches } from '../../lanes/openai/provider-batches.ts';

/** A key lane whose provider has a Batch API. */
export interface ProviderLane {
  readonly api: ProviderBatches;
  /** What a line costs there, as a share of its usual price; null when its owner does not want it used. */
  readonly priceShare: number | null;
  readonly costMicros: CostMicros;
}

/** What a line may cost at most at a provider's Batch API, in whole millionths; null where the price is unknown. */
export function mostAtProvider(
  { costMicros, priceShare }: ProviderLane,
  { model }: Pick<ProviderBatchTry['lane'], 'model'>,
  row: Omit<PricedRequest, 'model'>,
): number | null {
  const most = mostCost(costMicros, { ...row, model });
  return most === null ? null : Math.ceil(most * (priceShare ?? 1));
}

/** How a line is called at the provider: the caller's own name for it stays here. */
export function lineId(line: number): string {
  return `line-${line}`;
}

/** The line's number, or undefined for a name that is not ours. */
export function lineOfId(id: unknown): number | undefined {
  const digits = typeof id === 'string' ? /^line-([1-9]\d{0,5})$/.exec(id)?.[1] : undefined;
  return digits === undefined ? undefined : Number(digits);
}
