import { describe, expect, it } from 'vitest';
import type { LaneWindow } from '../../store/lanes.ts';
import { createWindowSampler } from '../../workers/window-sampler.ts';

const NOW = 1_800_000_000_000;
const MINUTE = 60_000;

function setUp() {
  const kept: { window: string; usedPercent: number; at: number }[] = [];
  const cleaned: number[] = [];
  const sampler = createWindowSampler('lane', {
    add: async (samples) =>
      void kept.push(...samples.map(({ window, usedPercent, at }) => ({ window, usedPercent, at }))),
    removeExpired: async (now) => cleaned.push(now),
  });
  return { kept, cleaned, sampler };
}

const window = (usedPercent: number, resetsAt: number | null = NOW + 60 * MINUTE, name = 'week'): LaneWindow => ({
  name,
  durationMinutes: 10_080,
  usedPercent,
  resetsAt,
});

describe('the history of windows', () => {
  it.each([
    [
      'a change of the percentage',
      [
        [window(1), 0],
        [window(2), 1],
      ],
      2,
    ],
    [
      'nothing new',
      [
        [window(1), 0],
        [window(1), 1],
      ],
      1,
    ],
    [
      'nothing new for ten minutes',
      [
        [window(1), 0],
        [window(1), 10 * MINUTE],
      ],
      2,
    ],
    [
      'a reset that moved',
      [
        [window(1), 0],
        [window(1, NOW + 62 * MINUTE), 1],
      ],
      2,
    ],
    [
      'the same reset told with another rounding',
      [
        [window(1), 0],
        [window(1, NOW + 60 * MINUTE + 900), 1],
      ],
      1,
    ],
    [
      'a reset that came to be known',
      [
        [window(1, null), 0],
        [window(1), 1],
      ],
      2,
    ],
  ] as const)('keeps what it must of %s', async (_, seen, expected) => {
    const { kept, sampler } = setUp();
    for (const [one, afterMs] of seen) await sampler.take([one], NOW + afterMs);
    expect(kept).toHaveLength(expected);
  });

  it('knows the windows apart', async () => {
    const { kept, sampler } = setUp();
    await sampler.take([window(1), window(5, null, 'five_hours')], NOW);
    await sampler.take([window(1), window(6, null, 'five_hours')], NOW + 1);
    expect(kept.map(({ window: name, usedPercent }) => [name, usedPercent])).toEqual([
      ['week', 1],
      ['five_hours', 5],
      ['five_hours', 6],
    ]);
  });

  it('deletes what is past its time once a day', async () => {
    const { cleaned, sampler } = setUp();
    for (const hours of [0, 1, 23, 24, 25]) await sampler.take([], NOW + hours * 60 * MINUTE);
    expect(cleaned).toEqual([NOW, NOW + 24 * 60 * MINUTE]);
  });
});
