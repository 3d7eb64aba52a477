import { describe, expect, it } from 'vitest';
import { HOLD_WITHOUT_RESET_MS, LONGEST_WINDOW_MS } from '../../../core/contracts/timings.ts';
import { reservedUntil } from '../../../lanes/policy/weekly-reserve.ts';

const NOW = 1_800_000_000_000;
const week = (usedPercent: number, resetsAt: number | null = NOW + 5_000) => ({
  durationMinutes: 10_080,
  usedPercent,
  resetsAt,
});
const fiveHours = { durationMinutes: 300, usedPercent: 100, resetsAt: NOW + 1_000 };

describe('the weekly reserve', () => {
  it.each([
    ['no reserve is set', 0, [week(100)], 0],
    ['more than the reserve is left', 20, [week(79)], 0],
    ['the reserve is reached', 20, [week(80)], NOW + 5_000],
    ['the week is used up', 20, [week(100)], NOW + 5_000],
    ['all of it is kept', 100, [week(0)], NOW + 5_000],
    ['only the short window is used up', 20, [fiveHours, week(10)], 0],
    ['no week is known', 20, [fiveHours], 0],
    ['the reset is not known', 20, [week(90, null)], NOW + HOLD_WITHOUT_RESET_MS],
    ['the reset has passed', 20, [week(90, NOW)], 0],
    ['the reset is not believable', 20, [week(90, NOW + 10 * LONGEST_WINDOW_MS)], NOW + LONGEST_WINDOW_MS],
  ])('when %s', (_, weeklyReservePercent, windows, expected) => {
    expect(reservedUntil({ weeklyReservePercent, windows }, NOW)).toBe(expected);
  });
});
