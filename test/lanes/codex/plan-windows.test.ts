import { describe, expect, it } from 'vitest';
import { HOLD_WITHOUT_RESET_MS, LONGEST_WINDOW_MS } from '../../../core/contracts/timings.ts';
import {
  exhaustedUntil,
  mergePlanWindows,
  readPlanWindows,
  UNKNOWN_WINDOWS,
  usageVerdict,
  type PlanWindows,
} from '../../../lanes/codex/plan-windows.ts';

const NOW = 1_800_000_000_000;
const seconds = NOW / 1000;

const snapshot = {
  limitId: 'codex',
  planType: 'pro',
  primary: { usedPercent: 12, windowDurationMins: 300, resetsAt: seconds + 3600 },
  secondary: { usedPercent: 40, windowDurationMins: 10_080, resetsAt: seconds + 360_000 },
};

const known: PlanWindows = readPlanWindows({ rateLimits: snapshot, ordinaryUsageAllowed: true });

describe('readPlanWindows', () => {
  it('classifies windows by their duration, whatever slot they come in', () => {
    const swapped = { ...snapshot, primary: snapshot.secondary, secondary: null };
    expect(known.windows.map((window) => window.kind)).toEqual(['week', 'five_hours']);
    expect(readPlanWindows({ rateLimits: swapped }).windows).toEqual([
      { kind: 'week', durationMinutes: 10_080, usedPercent: 40, resetsAt: (seconds + 360_000) * 1000 },
    ]);
  });

  it('keeps the word of the backend on ordinary usage, and null where it is silent', () => {
    expect(known.ordinaryUsageAllowed).toBe(true);
    expect(readPlanWindows({ rateLimits: snapshot }).ordinaryUsageAllowed).toBeNull();
  });

  it('knows a window of another length as other', () => {
    const rateLimits = { primary: { usedPercent: 1, windowDurationMins: 1440, resetsAt: null } };
    expect(readPlanWindows({ rateLimits }).windows).toEqual([
      { kind: 'other', durationMinutes: 1440, usedPercent: 1, resetsAt: null },
    ]);
  });
});

describe('mergePlanWindows', () => {
  it('lets nulls of a sparse update clear nothing', () => {
    const update = { rateLimits: { limitId: 'codex', planType: null, primary: null, secondary: null } };
    expect(mergePlanWindows(known, update)).toEqual(known);
  });

  it('takes over what an update says, and keeps a reset time that it leaves out', () => {
    const primary = { usedPercent: 100, windowDurationMins: 300, resetsAt: null };
    const merged = mergePlanWindows(known, { rateLimits: { limitId: 'codex', primary, secondary: null } });
    expect(merged.windows[1]).toEqual({
      kind: 'five_hours',
      durationMinutes: 300,
      usedPercent: 100,
      resetsAt: (seconds + 3600) * 1000,
    });
    expect(merged.windows[0]).toEqual(known.windows[0]);
  });

  it('ignores the buckets of single models, and updates of another shape', () => {
    const primary = { usedPercent: 100, windowDurationMins: 300, resetsAt: seconds };
    expect(mergePlanWindows(known, { rateLimits: { limitId: 'codex_other', primary } })).toBe(known);
    expect(mergePlanWindows(known, { surprise: true })).toBe(known);
  });
});

describe('usageVerdict', () => {
  const usedUp = { rateLimits: { ...snapshot, primary: { ...snapshot.primary, usedPercent: 100 } } };

  it.each([
    [
      'open where the backend says so, whatever the percentage',
      { ...usedUp, ordinaryUsageAllowed: true },
      { open: true },
    ],
    [
      'out until the reset where it says no',
      { ...usedUp, ordinaryUsageAllowed: false },
      { open: false, until: NOW + 3_600_000 },
    ],
    ['unknown where it says nothing, whatever the percentage', usedUp, undefined],
  ])('is %s', (_, answer, expected) => {
    expect(usageVerdict(readPlanWindows(answer), NOW)).toEqual(expected);
  });
});

describe('exhaustedUntil', () => {
  const windows = (...list: [number, number | null][]): PlanWindows => ({
    ...UNKNOWN_WINDOWS,
    windows: list.map(([usedPercent, resetsAt], index) => ({
      kind: 'other' as const,
      durationMinutes: index + 1,
      usedPercent,
      resetsAt,
    })),
  });

  it.each([
    ['the reset of the used-up window', windows([100, NOW + 5000], [40, NOW + 900_000]), NOW + 5000],
    ['the latest reset of several', windows([100, NOW + 5000], [100, NOW + 9000]), NOW + 9000],
    ['an hour where nothing is known', UNKNOWN_WINDOWS, NOW + HOLD_WITHOUT_RESET_MS],
    ['an hour where the reset is past', windows([100, NOW - 1]), NOW + HOLD_WITHOUT_RESET_MS],
    ['an hour where no window is used up', windows([99, NOW + 5000]), NOW + HOLD_WITHOUT_RESET_MS],
    ['8 days at most', windows([100, NOW + 10 * LONGEST_WINDOW_MS]), NOW + LONGEST_WINDOW_MS],
  ])('is %s', (_, given, expected) => {
    expect(exhaustedUntil(given, NOW)).toBe(expected);
  });
});
