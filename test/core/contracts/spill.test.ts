import { describe, expect, it } from 'vitest';
import {
  ASSUMED_LINE_MS,
  latestMoment,
  MEASURED_FROM_ANSWERS,
  meteredPace,
  SPILL_MARGIN_MS,
  SPILL_SAFETY,
} from '../../../core/contracts/spill.ts';

const DAY_MS = 24 * 3_600_000;
const EXPIRES = 1_700_000_000_000;
const measured = (ms: number): number[] => Array<number>(MEASURED_FROM_ANSWERS).fill(ms);

describe('latestMoment', () => {
  it.each([
    { what: 'nothing is left', remainingLines: 0, linesPerSecond: 1, before: SPILL_MARGIN_MS },
    { what: 'an hour of work is left', remainingLines: 3600, linesPerSecond: 1, before: 3_600_000 * SPILL_SAFETY },
    {
      what: 'the lanes are ten times as fast',
      remainingLines: 3600,
      linesPerSecond: 10,
      before: 360_000 * SPILL_SAFETY,
    },
  ])('keeps margin and safety when $what', ({ remainingLines, linesPerSecond, before }) => {
    const moment = latestMoment({ expiresAt: EXPIRES, remainingLines, linesPerSecond });
    expect(EXPIRES - moment).toBe(remainingLines === 0 ? before : before + SPILL_MARGIN_MS);
  });

  it('is long ago for more lines than can be served in time', () => {
    const moment = latestMoment({ expiresAt: EXPIRES, remainingLines: 50_000, linesPerSecond: 0.1 });
    expect(moment).toBeLessThan(EXPIRES - DAY_MS);
  });

  it('is at once when nothing is known to be served', () => {
    expect(latestMoment({ expiresAt: EXPIRES, remainingLines: 1, linesPerSecond: 0 })).toBe(0);
  });

  it('never comes later with more lines or slower lanes', () => {
    const at = (remainingLines: number, linesPerSecond: number): number =>
      latestMoment({ expiresAt: EXPIRES, remainingLines, linesPerSecond });
    for (const lines of [0, 1, 10, 1_000, 50_000]) {
      expect(at(lines + 1, 2)).toBeLessThanOrEqual(at(lines, 2));
      expect(at(lines, 1)).toBeLessThanOrEqual(at(lines, 2));
      expect(at(lines, 2)).toBeLessThanOrEqual(EXPIRES - SPILL_MARGIN_MS);
    }
  });
});

describe('meteredPace', () => {
  it.each([
    { what: 'no lane', lanes: [], pace: 0 },
    {
      what: 'a lane that was never measured',
      lanes: [{ concurrency: 30, answerMs: [] }],
      pace: 30_000 / ASSUMED_LINE_MS,
    },
    { what: 'too few answers', lanes: [{ concurrency: 30, answerMs: [1] }], pace: 30_000 / ASSUMED_LINE_MS },
    { what: 'a measured lane', lanes: [{ concurrency: 8, answerMs: measured(2_000) }], pace: 4 },
    {
      what: 'two lanes',
      lanes: [
        { concurrency: 8, answerMs: measured(2_000) },
        { concurrency: 1, answerMs: measured(500) },
      ],
      pace: 6,
    },
    { what: 'more slots than lines are out', lanes: [{ concurrency: 300, answerMs: measured(1_000) }], pace: 150 },
  ])('is known for $what', ({ lanes, pace }) => {
    expect(meteredPace(lanes, 150)).toBeCloseTo(pace);
  });
});
