import { describe, expect, it } from 'vitest';
import { expectEnd, percentOf, type QuotedLane, type QuotedWindow } from '../../../core/quote/expect-end.ts';

const NOW = 1_800_000_000_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const EXACT = { low: 1_000, high: 1_000 };

const lane = (given: Partial<QuotedLane> = {}): QuotedLane => ({
  concurrency: 1,
  openAt: 0,
  lineMs: EXACT,
  mostLinesPerSecond: 100,
  windows: [window()],
  windowsUnknown: false,
  ...given,
});
/** One line takes a tenth of a percent. */
const window = (given: Partial<QuotedWindow> = {}): QuotedWindow => ({
  name: 'week',
  usedPercent: 0,
  reservePercent: 0,
  resetsAt: NOW + 2 * DAY,
  durationMs: 7 * DAY,
  worth: { microsPerPercent: { low: 10_000, high: 10_000 }, basis: 'measured' },
  ...given,
});
const expected = (lines: number, lanes: readonly QuotedLane[], lineMicros: typeof EXACT | null = EXACT) => {
  const { earliest, latest, leftLow, leftHigh } = expectEnd(lines, lineMicros, lanes, NOW, NOW + DAY);
  const seconds = (at: number | null): number | null => (at === null ? null : Math.round((at - NOW) / 1_000));
  return [seconds(earliest), seconds(latest), leftLow, leftHigh];
};

describe('the expected end', () => {
  it.each([
    ['nothing to do', 0, [lane()], [0, 0, 0, 0]],
    ['one lane', 600, [lane()], [600, 600, 0, 0]],
    ['two lanes side by side', 600, [lane(), lane()], [300, 300, 0, 0]],
    ['a lane that opens later', 600, [lane({ openAt: NOW + 60_000 })], [660, 660, 0, 0]],
    ['the pace of the machinery', 600, [lane({ mostLinesPerSecond: 0.5 })], [1200, 1200, 0, 0]],
    ['no lane', 600, [], [null, null, 600, 600]],
    // 1,000 lines fill the window; the rest goes on in two days.
    ['a window that is used up on the way', 1_100, [lane()], [2 * 86_400 + 100, 2 * 86_400 + 100, 100, 100]],
    [
      'what was used before',
      600,
      [lane({ windows: [window({ usedPercent: 95 })] })],
      [2 * 86_400 + 550, 2 * 86_400 + 550, 550, 550],
    ],
    [
      'the share that is kept',
      600,
      [lane({ windows: [window({ reservePercent: 90 })] })],
      [9 * 86_400 + 0, 9 * 86_400 + 0, 500, 500],
    ],
    [
      'the second lane when the first is used up',
      1_100,
      [lane({ windows: [window({ usedPercent: 90 })] }), lane()],
      [1_000, 1_000, 0, 0],
    ],
    [
      'a reset that is past',
      600,
      [lane({ windows: [window({ usedPercent: 100, resetsAt: NOW - 1 })] })],
      [600, 600, 0, 0],
    ],
    [
      'a reset that is not known',
      600,
      [lane({ windows: [window({ usedPercent: 100, resetsAt: null })] })],
      [7 * 86_400 + 600, 7 * 86_400 + 600, 600, 600],
    ],
  ] as const)('takes into account: %s', (title, lines, lanes, end) => {
    const found = expected(lines, lanes);
    if (title !== 'the share that is kept') expect(found).toEqual(end);
    // 10 percent a week: 100 lines at once, and 100 with each reset.
    else expect(found).toEqual([30 * 86_400 + 100, 30 * 86_400 + 100, 500, 500]);
  });

  it('is a range where time, price and worth are', () => {
    const { earliest, latest } = expectEnd(600, EXACT, [lane({ lineMs: { low: 500, high: 2_000 } })], NOW, NOW + DAY);
    expect([(earliest ?? 0) - NOW, (latest ?? 0) - NOW]).toEqual([300_000, 1_200_000]);
  });

  it.each([
    ['a window is worth', [lane({ windows: [window({ worth: null })] })], EXACT],
    ['windows there are', [lane({ windows: [], windowsUnknown: true })], EXACT],
    ['a line costs', [lane()], null],
  ] as const)('has no latest where nobody knows what %s', (_, lanes, lineMicros) => {
    expect(expected(600, lanes, lineMicros)).toEqual([600, null, 0, null]);
  });

  it('comes to an answer for a window of which neither the length nor the reset is told, or a reset long past', () => {
    const of = (given: Partial<QuotedWindow>) => expected(1_100, [lane({ windows: [window(given)] })]);
    expect(of({ durationMs: 0, resetsAt: null })).toEqual([null, null, 100, 100]);
    expect(of({ durationMs: 0, resetsAt: NOW - 1, usedPercent: 90 })).toEqual([null, null, 100, 100]);
    expect(of({ durationMs: 0, resetsAt: NOW + DAY })).toEqual([86_400 + 100, 86_400 + 100, 100, 100]);
    expect(of({ durationMs: 60_000, resetsAt: 0, usedPercent: 100 })).toEqual([1_100, 1_100, 0, 0]);
  });

  it('is unknown where it is too far away', () => {
    const tiny = lane({ windows: [window({ worth: { microsPerPercent: { low: 1, high: 1 }, basis: 'measured' } })] });
    expect(expected(600, [tiny])).toEqual([null, null, 599, 600]);
  });
});

describe('the share of a window', () => {
  it('is widest where both price and worth are ranges, and unknown where one is', () => {
    const worth = { microsPerPercent: { low: 10, high: 20 }, basis: 'estimate' } as const;
    expect(percentOf(worth, { low: 100, high: 200 })).toEqual({ low: 5, high: 20 });
    expect(percentOf(null, EXACT)).toBeNull();
    expect(percentOf(worth, null)).toBeNull();
  });
});
