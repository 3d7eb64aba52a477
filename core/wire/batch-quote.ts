import { toUnixSeconds } from '../clock.ts';
import type { Range } from '../quote/estimate-tokens.ts';

/** How ranges, money and times of a quote stand on the wire. Unknown is null and never 0. */

export interface WireRange {
  readonly low: number;
  readonly high: number;
}

/** Whole tokens or lines. */
export function toWholeRange({ low, high }: Range): WireRange {
  return { low: Math.floor(low), high: Math.ceil(high) };
}

/** US dollars, of millionths; to the millionth. */
export function toUsdRange(micros: Range | null, share = 1): WireRange | null {
  if (micros === null) return null;
  const usd = (value: number): number => Math.round(value * share) / 1_000_000;
  return { low: usd(micros.low), high: usd(micros.high) };
}

/** Percent, to a hundredth. */
export function toPercentRange(percent: Range | null): WireRange | null {
  if (percent === null) return null;
  return { low: Math.floor(percent.low * 100) / 100, high: Math.ceil(percent.high * 100) / 100 };
}

/** Unix seconds. */
export function toSeconds(ms: number | null): number | null {
  return ms === null ? null : toUnixSeconds(ms);
}
