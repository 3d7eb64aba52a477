import { describe, expect, it } from 'vitest';
import { createLaneLoad } from '../../../lanes/policy/lane-load.ts';

describe('the load of lanes', () => {
  it('counts what is under way on each lane, and each end once', () => {
    const load = createLaneLoad();
    const first = load.enter('a');
    const second = load.enter('a');
    load.enter('b');
    expect([load.inFlight('a'), load.inFlight('b'), load.inFlight('c')]).toEqual([2, 1, 0]);
    first();
    first();
    expect(load.inFlight('a')).toBe(1);
    second();
    expect(load.inFlight('a')).toBe(0);
  });

  it('counts a planned request until it has had its turn to enter', async () => {
    const load = createLaneLoad();
    load.expect('a');
    await Promise.resolve();
    expect(load.inFlight('a')).toBe(1);
    const leave = load.enter('a');
    await new Promise((resolve) => setImmediate(resolve));
    expect(load.inFlight('a')).toBe(1);
    leave();
    expect(load.inFlight('a')).toBe(0);
  });
});
