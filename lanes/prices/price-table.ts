/** What models cost on the meter, as data. Standard tier, text tokens, in US dollars for a million tokens. */

export interface TokenPrices {
  readonly inputUsd: number;
  /** For the part of the input that came from the provider's cache. */
  readonly cachedInputUsd: number;
  /** Reasoning tokens are output. */
  readonly outputUsd: number;
}

export interface ModelPrice extends TokenPrices {
  /** Prices for the whole request once its input is longer than this. */
  readonly longContext?: TokenPrices & { readonly aboveInputTokens: number };
  readonly source: string;
  /** The day on which the price was read, as YYYY-MM-DD: prices change. */
  readonly readOn: string;
}

const OPENAI_PRICING = 'https://developers.openai.com/api/docs/pricing';
const READ_ON = '2026-11-18';

/** The models with a window of a million tokens cost twice for input and 1.5 times for output above this many input tokens. */
const LONG_CONTEXT_ABOVE_TOKENS = 272_000;

function flat(inputUsd: number, cachedInputUsd: number, outputUsd: number): ModelPrice {
  return { inputUsd, cachedInputUsd, outputUsd, source: OPENAI_PRICING, readOn: READ_ON };
}

function tiered(short: readonly [number, number, number], long: readonly [number, number, number]): ModelPrice {
  const [inputUsd, cachedInputUsd, outputUsd] = long;
  return {
    ...flat(...short),
    longContext: { aboveInputTokens: LONG_CONTEXT_ABOVE_TOKENS, inputUsd, cachedInputUsd, outputUsd },
  };
}

/** By the model's base name; `createPriceList` resolves dated names and prefixes. Left out is what could not be verified. */
export const PRICE_TABLE: Readonly<Record<string, ModelPrice>> = {
  'gpt-6.2-astra': tiered([8, 0.4, 40], [16, 0.8, 60]),
  'gpt-6.2-sol': tiered([2, 0.1, 10], [4, 0.2, 15]),
  'gpt-6.1-sol': tiered([2, 0.1, 10], [4, 0.2, 15]),
  'gpt-6-astra': tiered([10, 1, 50], [20, 2, 75]),
  'gpt-6-sol': tiered([2, 0.2, 10], [4, 0.4, 15]),
  'gpt-6-luna': tiered([0.1, 0.01, 0.5], [0.2, 0.02, 0.75]),
  'gpt-5.6-sol': tiered([4, 0.4, 20], [8, 0.8, 30]),
  'gpt-5.6-terra': tiered([2, 0.2, 12], [4, 0.4, 18]),
  'gpt-5.6-luna': tiered([0.2, 0.02, 1.2], [0.4, 0.04, 1.8]),
  'gpt-5.5': tiered([5, 0.5, 30], [10, 1, 45]),
  'gpt-5.4': tiered([2.5, 0.25, 15], [5, 0.5, 22.5]),
  'gpt-5.4-mini': flat(0.75, 0.075, 4.5),
  'gpt-5': flat(1.25, 0.125, 10),
  'gpt-5-mini': flat(0.25, 0.025, 2),
  'gpt-5-nano': flat(0.05, 0.005, 0.4),
  'gpt-4.1': flat(2, 0.5, 8),
  'gpt-4o': flat(2.5, 1.25, 10),
  // The first snapshot kept its own price, without a discount for cached input.
  'gpt-4o-2024-05-13': flat(5, 5, 15),
  'gpt-4o-mini': flat(0.15, 0.075, 0.6),
  o3: flat(2, 0.5, 8),
  'o4-mini': flat(1.1, 0.275, 4.4),
};

/** Names under which OpenAI serves another model of the table. */
export const MODEL_ALIASES: Readonly<Record<string, string>> = {
  'gpt-5.6': 'gpt-5.6-sol',
};
