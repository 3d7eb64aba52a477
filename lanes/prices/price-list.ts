import type { TokenUsage } from '../../core/lane-port.ts';
import { MODEL_ALIASES, PRICE_TABLE, type ModelPrice, type TokenPrices } from './price-table.ts';

/** What calls cost on the meter. */
export interface PriceList {
  /**
   * @returns whole millionths of a dollar, rounded half up once, at the end; null where the usage is unknown, or the model's price
   * at the tier that served it: unknown is never 0.
   */
  costMicros(model: string, usage: TokenUsage | null): number | null;
  /** The price of a model as it is resolved from its name; undefined where it is unknown. */
  priceOf(model: string): ModelPrice | undefined;
}

/**
 * @param overrides prices that the owner knows better or that the table lacks, by the model's name as it is asked for; a dated or
 * prefixed name in it wins over the base model. The price at a service tier stands under `model@tier`.
 */
export function createPriceList(overrides: Readonly<Record<string, ModelPrice>> = {}): PriceList {
  const prices = new Map([...Object.entries(PRICE_TABLE), ...Object.entries(overrides)]);
  const aliases = new Map(Object.entries(MODEL_ALIASES));
  const priceOf = (model: string): ModelPrice | undefined => {
    for (const name of candidateNames(model)) {
      const price = prices.get(name) ?? prices.get(aliases.get(name) ?? name);
      if (price !== undefined) return price;
    }
    return undefined;
  };
  /** Tiers have prices of their own, which only an owner knows here; what costs nothing costs nothing at any tier. */
  const priceAt = (model: string, tier: string): ModelPrice | undefined => {
    const own = candidateNames(model)
      .map((name) => prices.get(`${name}@${tier}`))
      .find((price) => price !== undefined);
    const listed = priceOf(model);
    return own ?? (listed !== undefined && isFree(listed) ? listed : undefined);
  };
  return {
    priceOf,
    costMicros(model, usage) {
      if (usage === null) return null;
      const { serviceTier } = usage;
      const price = serviceTier === undefined ? priceOf(model) : priceAt(model, serviceTier);
      if (price === undefined) return null;
      const { longContext } = price;
      const isLong = longContext !== undefined && usage.promptTokens > longContext.aboveInputTokens;
      return costOf(usage, isLong ? longContext : price);
    },
  };
}

/** The name itself, without its vendor, without its date, without both: the most exact one that has a price is taken. */
function candidateNames(model: string): string[] {
  const bare = model.replace(/^openai\//, '');
  const undated = (name: string): string => name.replace(/-\d{4}-\d{2}-\d{2}$/, '');
  return [model, bare, undated(model), undated(bare)];
}

function isFree({ inputUsd, cachedInputUsd, outputUsd, longContext }: ModelPrice): boolean {
  return inputUsd === 0 && cachedInputUsd === 0 && outputUsd === 0 && longContext === undefined;
}

/** Dollars for a million tokens are millionths of a dollar for one. Counted exactly, in millionths of those. */
const PARTS_IN_A_MICRO = 1_000_000;

function costOf(usage: TokenUsage, prices: TokenPrices): number | null {
  const cached = Math.min(usage.cachedPromptTokens, usage.promptTokens);
  const items: readonly (readonly [number, number])[] = [
    [usage.promptTokens - cached, prices.inputUsd],
    [cached, prices.cachedInputUsd],
    [usage.completionTokens, prices.outputUsd],
  ];
  if (items.some(([tokens, usd]) => !Number.isSafeInteger(tokens) || tokens < 0 || !Number.isFinite(usd))) return null;
  const parts = items.reduce(
    (sum, [tokens, usd]) => sum + BigInt(tokens) * BigInt(Math.round(usd * PARTS_IN_A_MICRO)),
    0n,
  );
  return Number((parts + BigInt(PARTS_IN_A_MICRO / 2)) / BigInt(PARTS_IN_A_MICRO));
}
