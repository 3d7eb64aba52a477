/**
 * The most tokens that a model writes into one answer, reasoning included, as OpenAI's page of each model says it
 * (https://developers.openai.com/api/docs/models). For requests that name no bound of their own. By the start of the name, the
 * more exact one first.
 */
const OUTPUT_LIMITS: readonly (readonly [start: string, tokens: number])[] = [
  ['gpt-4.1', 32_768],
  ['gpt-4o-2024-05-13', 4_096],
  ['gpt-4o', 16_384],
  ['o3', 100_000],
  ['o4-mini', 100_000],
];

/** Of the families since gpt-5, and what is taken for a model that nobody knows here. */
const USUAL_OUTPUT_LIMIT = 128_000;

/** Tokens that one answer of a model has at most. A vendor's name in front does not count. */
export function outputLimit(model: string): number {
  const bare = model.replace(/^openai\//, '');
  return OUTPUT_LIMITS.find(([start]) => bare.startsWith(start))?.[1] ?? USUAL_OUTPUT_LIMIT;
}
