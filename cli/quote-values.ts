import type { QuoteRange } from './api-shapes.ts';
import { formatDollars, formatTime, UNKNOWN } from './format-values.ts';

/** How the ranges of a quote are shown. A high end that nobody knows is said to be open, and never left out. */

export function formatRange(given: QuoteRange | null): string {
  if (given === null) return UNKNOWN;
  if (given.high === null) return `${given.low} or more`;
  return given.low === given.high ? String(given.low) : `${given.low} to ${given.high}`;
}

/** @param given dollars */
export function formatDollarRange(given: QuoteRange | null): string {
  if (given === null) return UNKNOWN;
  const low = formatDollars(given.low);
  if (given.high === null) return `${low} or more`;
  const high = formatDollars(given.high);
  return low === high ? low : `${low} to ${high}`;
}

/** @param earliest Unix seconds, as `latest`; null where nobody knows */
export function formatEnd(earliest: number | null, latest: number | null): string {
  const at = (seconds: number): string => formatTime(seconds * 1_000);
  if (earliest === null) return latest === null ? 'not known' : `by ${at(latest)}`;
  return latest === null ? `${at(earliest)} or later` : `${at(earliest)} to ${at(latest)}`;
}
