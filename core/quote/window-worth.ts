import type { Range } from './estimate-tokens.ts';

/** How much of a window was used at a time, and what was served when. Times in Unix milliseconds. */
export interface UsedSample {
  readonly at: number;
  readonly usedPercent: number;
}
export interface ServedEntry {
  readonly at: number;
  /** Millionths of a dollar that the meter would have taken; null where it is unknown. */
  readonly meterMicros: number | null;
}

/** What one percent of a plan's window is worth, in millionths of a dollar on the meter. */
export interface WindowWorth {
  readonly microsPerPercent: Range;
  readonly basis: 'measured' | 'estimate';
}

/** Percent points and answers that make a measurement: windows are told in whole percents. */
const ENOUGH_PERCENT = 5;
const ENOUGH_ENTRIES = 50;

/** Whole percents, and what else the account was used for. */
const MEASURED_MARGIN = 0.25;

/** More entries than this without a price, and their share of the window would count as that of the others. */
const MOST_UNPRICED = 0.1;

/**
 * What was served while a window's use grew, for each percent. What the account was used for elsewhere makes it less than it is,
 * which errs on the safe side. Null when there is not enough.
 */
export function measureWorth(samples: readonly UsedSample[], entries: readonly ServedEntry[]): WindowWorth | null {
  const inOrder = samples.toSorted((a, b) => a.at - b.at);
  const [first, last] = [inOrder[0], inOrder.at(-1)];
  if (first === undefined || last === undefined) return null;
  let percent = 0;
  for (const [index, { usedPercent }] of inOrder.entries()) {
    // Less than before is a reset.
    percent += Math.max(0, usedPercent - (inOrder[index - 1]?.usedPercent ?? usedPercent));
  }
  const served = entries.filter(({ at }) => at >= first.at && at <= last.at);
  const priced = served.flatMap(({ meterMicros }) => (meterMicros === null ? [] : [meterMicros]));
  if (percent < ENOUGH_PERCENT || priced.length < ENOUGH_ENTRIES) return null;
  if (served.length - priced.length > MOST_UNPRICED * served.length) return null;
  const micros = priced.reduce((sum, value) => sum + value, 0) / percent;
  // What costs nothing on the meter says nothing of a window.
  if (micros === 0) return null;
  return {
    microsPerPercent: { low: micros * (1 - MEASURED_MARGIN), high: micros * (1 + MEASURED_MARGIN) },
    basis: 'measured',
  };
}

/**
 * Work of a month that plans were seen to give, in dollars on the meter: planning estimates and no promises. Plus about 700; Pro
 * about 3,500 or 14,000, which the plan's name does not tell apart.
 */
const MONTH_USD: Readonly<Record<string, Range>> = {
  plus: { low: 700, high: 700 },
  pro: { low: 3_500, high: 14_000 },
};

/** Half as much and half again as much have been reported of each. */
const ESTIMATE_MARGIN = 0.5;

const WEEKS_IN_A_MONTH = 365.25 / 12 / 7;
const MICROS_IN_A_DOLLAR = 1_000_000;

/** What a percent of the week is worth by the plan's name; null for a plan of which nothing is known. */
export function estimateWeek(planType: string | null): WindowWorth | null {
  const month = planType === null ? undefined : MONTH_USD[planType];
  if (month === undefined) return null;
  const micros = (usd: number): number => (usd * MICROS_IN_A_DOLLAR) / WEEKS_IN_A_MONTH / 100;
  return {
    microsPerPercent: {
      low: micros(month.low) * (1 - ESTIMATE_MARGIN),
      high: micros(month.high) * (1 + ESTIMATE_MARGIN),
    },
    basis: 'estimate',
  };
}
