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

  it('counts a planned request once when it has entered', async () => {
    const load = createLaneLoad();
    load.expect('a');
    load.expect('a');
    const leave = load.enter('a');
    expect(load.inFlight('a')).toBe(2);
    await new Promise((resolve) => setImmediate(resolve));
    expect(load.inFlight('a')).toBe(1);
    leave();
    expect(load.inFlight('a')).toBe(0);
  });

  it('ends one expectation for each request that enters, and those of its own lane alone', async () => {
    const load = createLaneLoad();
    load.expect('a');
    load.expect('b');
    load.enter('a');
    load.enter('a');
    expect([load.inFlight('a'), load.inFlight('b')]).toEqual([2, 1]);
    await new Promise((resolve) => setImmediate(resolve));
    expect([load.inFlight('a'), load.inFlight('b')]).toEqual([2, 0]);
  });
});
