import { describe, expect, it } from 'vitest';
import { showLanes } from '../../scripts/demo-tables.ts';

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
