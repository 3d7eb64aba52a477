import { describe, expect, it } from 'vitest';
import { showLanes, showLog } from '../../scripts/demo-tables.ts';

describe('showLanes', () => {
  it('shows the lanes in the order of the route, and last what no lane served', () => {
    const of = (laneId: string | null) => ({ laneId, entries: 1, costMicros: 0, meterMicros: 0, unmetered: 0 });
    const aliases = new Map([
      ['b', 'home'],
      ['a', 'work'],
    ]);
    const names = showLanes([of(null), of('a'), of('b')], aliases)
      .split('\n')
      .slice(2)
      .map((line) => line.split(' ')[0]);
    expect(names).toEqual(['home', 'work', 'none']);
  });
});

describe('showLog', () => {
  it('shows the first line of each lane, and those that went on to another', () => {
    const tried = (laneId: string, outcome = 'answered') => ({ laneId, outcome, durationMs: 20 });
    const entry = (line: number, ...attempts: ReturnType<typeof tried>[]) => ({
      id: `batch_1:${String(line).padStart(6, '0')}`,
      laneId: attempts.at(-1)?.laneId ?? null,
      attempts,
      usage: { promptTokens: 8, completionTokens: 9 },
      costMicros: 0,
      meterMicros: null,
    });
    const aliases = new Map([
      ['a', 'home'],
      ['b', 'work'],
    ]);
    const shown = showLog(
      [entry(1, tried('a')), entry(2, tried('a')), entry(3, tried('a', 'window_exhausted'), tried('b'))],
      aliases,
    );
    expect(shown.split('\n').slice(2)).toEqual([
      expect.stringMatching(/^ *1  home answered +20 +8 +9 +\$0\.0000 +unknown$/),
      expect.stringMatching(/^ *3  home window_exhausted, then work answered +40 /),
    ]);
  });
});
