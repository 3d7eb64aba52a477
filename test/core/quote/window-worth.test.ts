import { describe, expect, it } from 'vitest';
import { estimateWeek, measureWorth } from '../../../core/quote/window-worth.ts';

const samples = (...used: number[]) => used.map((usedPercent, index) => ({ at: index * 100, usedPercent }));
const entries = (count: number, meterMicros: number | null = 1_000_000) =>
  Array.from({ length: count }, (_, index) => ({ at: index, meterMicros }));

describe('what a percent of a window is worth', () => {
  it('is what was served while it grew', () => {
    // 100 dollars for 20 percent.
    expect(measureWorth(samples(10, 20, 30), entries(100))).toEqual({
      microsPerPercent: { low: 3_750_000, high: 6_250_000 },
      basis: 'measured',
    });
  });

  it('leaves resets out', () => {
    expect(measureWorth(samples(80, 90, 0, 10), entries(100))).toEqual(measureWorth(samples(10, 20, 30), entries(100)));
  });

  it('leaves out what was served before the first sample and after the last', () => {
    const outside = [
      { at: -1, meterMicros: 9e9 },
      { at: 999, meterMicros: 9e9 },
    ];
    expect(measureWorth(samples(10, 20, 30), [...entries(100), ...outside])).toEqual(
      measureWorth(samples(10, 20, 30), entries(100)),
    );
  });

  it.each([
    ['no samples', [], entries(100)],
    ['too little growth', samples(10, 14), entries(100)],
    ['too few answers', samples(10, 30), entries(49)],
    ['answers that cost nothing on the meter', samples(10, 30), entries(100, 0)],
    ['too many answers without a price', samples(10, 30), [...entries(90), ...entries(11, null)]],
  ])('is unknown with %s', (_, taken, served) => {
    expect(measureWorth(taken, served)).toBeNull();
  });

  it('is estimated by the plan’s name for the week', () => {
    const { microsPerPercent, basis } = estimateWeek('plus') ?? {};
    expect(basis).toBe('estimate');
    // 700 dollars a month are 161 a week, with half of it as a margin.
    expect(Math.round((microsPerPercent?.low ?? 0) / 1e4)).toBe(80);
    expect(Math.round((microsPerPercent?.high ?? 0) / 1e4)).toBe(241);
    expect(estimateWeek('pro')?.microsPerPercent.high).toBeGreaterThan(20 * (microsPerPercent?.high ?? 0) - 1);
    expect(estimateWeek('unheard-of')).toBeNull();
    expect(estimateWeek(null)).toBeNull();
  });
});
