import type { Range } from './estimate-tokens.ts';
import type { ModelMeasure } from './measure-lines.ts';

/** measured: from the key's own answers. assumed: nothing is known yet. none: there is nothing to estimate. */
export type Basis = 'measured' | 'assumed' | 'none';

/** Answers that make a mean: with fewer, one long answer would decide. */
export const ENOUGH_ANSWERS = 20;

/** Where nothing limits an answer and nothing was measured: from a short one to a page of two, or of reasoning. */
const ASSUMED_TOKENS: Range = { low: 50, high: 1_500 };

/** What was measured before need not hold for the next file. */
const MARGIN = 0.1;

/** Output tokens of all lines of a model. @param answers output tokens of the key's answers of this model */
export function outputTokens(measure: ModelMeasure, answers: readonly number[]): Range & { readonly basis: Basis } {
  const { lines, limitedLines, limitTokens } = measure;
  const most = limitedLines === lines ? limitTokens : Number.POSITIVE_INFINITY;
  if (most === 0) return { low: 0, high: 0, basis: 'none' };
  if (answers.length < ENOUGH_ANSWERS) {
    const unlimited = lines - limitedLines;
    const high = limitTokens + unlimited * ASSUMED_TOKENS.high;
    return { low: Math.min(lines * ASSUMED_TOKENS.low, high), high, basis: 'assumed' };
  }
  const { mean, deviation } = momentsOf(answers);
  // Of the mean itself, and of the sum of so many lines.
  const error = 2 * deviation * (1 / Math.sqrt(answers.length) + 1 / Math.sqrt(lines)) + MARGIN * mean;
  const high = Math.min(most, lines * (mean + error));
  return { low: Math.min(high, lines * Math.max(0, mean - error)), high, basis: 'measured' };
}

/** A request's fixed time, and the tokens that a model writes in a second: from the fastest to the slowest that is usual. */
const ASSUMED_FIXED_MS: Range = { low: 500, high: 2_000 };
const ASSUMED_TOKENS_PER_SECOND: Range = { low: 150, high: 30 };

/** Milliseconds that one line takes on a lane. @param durations milliseconds of the key's answers there */
export function lineDurationMs(
  perLine: Range,
  durations: readonly number[],
): Range & { readonly basis: Exclude<Basis, 'none'> } {
  if (durations.length < ENOUGH_ANSWERS) {
    const ms = (end: keyof Range): number =>
      ASSUMED_FIXED_MS[end] + (perLine[end] / ASSUMED_TOKENS_PER_SECOND[end]) * 1_000;
    return { low: ms('low'), high: ms('high'), basis: 'assumed' };
  }
  const { mean, deviation } = momentsOf(durations);
  const error = (2 * deviation) / Math.sqrt(durations.length) + MARGIN * mean;
  return { low: Math.max(1, mean - error), high: Math.max(1, mean + error), basis: 'measured' };
}

function momentsOf(values: readonly number[]): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance) };
}
