import { createPriceList, type PriceList } from './price-list.ts';
import type { TokenPrices } from './price-table.ts';
import type { CostMicros } from './costs.ts';

/** What a key lane's owner set of prices, by the provider's name of the model. */
export interface OwnPrices {
  readonly prices: readonly ({ readonly model: string } & TokenPrices)[];
}

/** The price list with what owners of lanes know better; of a model that is priced twice the last one counts. */
export function ownPriceList(prices: OwnPrices['prices']): PriceList {
  const own = prices.map(({ model, ...price }) => [model, { ...price, source: 'the owner', readOn: '' }]);
  return createPriceList(Object.fromEntries(own));
}

/** What a lane's calls cost: by the table, with what its owner knows better. */
export function lanePrices(settings: OwnPrices | null): CostMicros {
  const list = ownPriceList(settings?.prices ?? []);
  return (model, usage) => list.costMicros(model, usage);
}

/** Enough tokens of every kind that any price shows. */
const MANY = {
  promptTokens: 2_000_000,
  cachedPromptTokens: 1_000_000,
  completionTokens: 1_000_000,
  reasoningTokens: 0,
};

/**
 * Whether a key lane costs money for a model: `free` where every price is known to be zero, as with a server of one's own,
 * `unknown` where no price is known.
 */
export function meterOf(costMicros: CostMicros, model: string): 'free' | 'priced' | 'unknown' {
  const cost = costMicros(model, MANY);
  if (cost === null) return 'unknown';
  return cost === 0 ? 'free' : 'priced';
}
