import { describe, expect, it } from 'vitest';
import { statesBefore, type LaneState } from '../../../core/contracts/lane.ts';
import { createLaneHealth } from '../../../lanes/policy/lane-health.ts';
import { createMovableClock } from '../../support/movable-clock.ts';
import { keptLog, plantFailure, plantLaneDoc } from '../../support/planted.ts';

/** A lane's health over a document in memory that changes state as the store does. */
function setUp(given: Parameters<typeof plantLaneDoc>[1] = {}) {
  const clock = createMovableClock();
  const kept = keptLog();
  const store = { doc: plantLaneDoc('a', given), away: false, transitions: 0 };
  const health = createLaneHealth(
    {
      laneId: 'a',
      kind: 'key',
      clock,
      random: () => 1,
      log: kept.log,
      lanes: {
        transition: async (_id, to, at, patch) => {
          const { why = null, until = null, backsOff = false } = patch ?? {};
          store.transitions += 1;
          if (store.away) throw new Error('the database is away');
          if (!statesBefore(to).includes(store.doc.state)) return null;
          store.doc = { ...store.doc, state: to, why, until, backsOff, stateChangedAt: at };
          return store.doc;
        },
      },
    },
    store.doc,
  );
  return { clock, store, health, lines: kept.lines };
}

describe('the health of a lane', () => {
  it('tells a pause after failures from a window that is used up', async () => {
    const { health } = setUp();
    for (let failure = 0; failure < 5; failure += 1) await health.reportFailure(plantFailure('broken'));
    expect(health.availability()).toMatchObject({ open: false, backsOff: true });
  });

  it('tells a rate limit with a time from a window, here and where the database is read', async () => {
    const { clock, store, health } = setUp();
    await health.reportFailure(plantFailure('rate_limited', { unavailableUntil: clock.now() + 8_000 }));
    expect(health.availability()).toMatchObject({ open: false, until: clock.now() + 8_000, backsOff: true });
    const { health: elsewhere } = setUp();
    elsewhere.refresh(store.doc);
    expect(elsewhere.availability()).toMatchObject({ open: false, backsOff: true });

    // What comes after it is no rate limit any more.
    await health.reportFailure(plantFailure('window_exhausted', { unavailableUntil: clock.now() + 9_000 }));
    elsewhere.refresh(store.doc);
    for (const told of [health.availability(), elsewhere.availability()]) {
      expect(told).toEqual({ open: false, until: clock.now() + 9_000, why: 'planted' });
    }
  });

  it('takes a lane that an earlier version has cooled for one whose window is used up', () => {
    const { backsOff: _, ...old } = plantLaneDoc('a', { state: 'cooling', until: createMovableClock().now() + 1_000 });
    const { health } = setUp({ backsOff: true });
    health.refresh(old);
    expect(health.availability()).toMatchObject({ open: false });
    expect(health.availability()).not.toHaveProperty('backsOff');
  });

  it.each(['signing_in', 'needs_login', 'needs_key', 'off'] as const)('keeps a lane closed that is %s', (state) => {
    const { health } = setUp({ state, why: null });
    expect(health.availability()).toEqual({ open: false, why: `the lane is ${state}` });
  });

  it.each([
    ['paused', 'paused by its owner'],
    ['draining', 'its owner drains it'],
    ['removing', 'its owner removes it'],
  ] as const)('keeps a lane closed that is %s, and no change of state undoes it', async (hold, why) => {
    const { store, health } = setUp();
    health.refresh({ ...store.doc, hold });
    expect(health.availability()).toEqual({ open: false, why });
    await health.change('ready');
    expect(health.availability()).toEqual({ open: false, why });
    health.refresh({ ...store.doc, hold: 'none', stateChangedAt: 0 });
    expect(health.availability()).toEqual({ open: true });
  });

  it('keeps the weekly reserve from batch lines alone', () => {
    const resetsAt = createMovableClock().now() + 9_000_000;
    const { health } = setUp({
      weeklyReservePercent: 30,
      windows: [{ name: 'week', durationMinutes: 10_080, usedPercent: 70, resetsAt }],
    });
    expect(health.availability('interactive')).toEqual({ open: true });
    expect(health.availability('batch')).toMatchObject({ open: false, until: resetsAt });
  });

  it('cools a lane here and in the database, and opens it by itself when the time is over', async () => {
    const { clock, store, health } = setUp();
    await health.reportFailure(plantFailure('window_exhausted', { unavailableUntil: clock.now() + 1_000 }));
    expect(health.availability()).toEqual({ open: false, until: clock.now() + 1_000, why: 'planted' });
    expect(store.doc).toMatchObject({ state: 'cooling', until: clock.now() + 1_000 });
    clock.advance(1_000);
    expect(health.availability()).toEqual({ open: true });
  });

  it('is ready at the first answer after a pause, and not before the pause is over', async () => {
    const { clock, store, health } = setUp();
    await health.reportFailure(plantFailure('window_exhausted', { unavailableUntil: clock.now() + 1_000 }));
    await health.reportAnswer();
    expect(store.doc.state).toBe('cooling');
    expect(health.needsProbe()).toBe(false);
    clock.advance(1_000);
    expect(health.needsProbe()).toBe(true);
    await health.reportAnswer();
    expect(health.state).toBe('ready');
    expect(health.needsProbe()).toBe(false);
    expect(store.doc).toMatchObject({ state: 'ready', until: null });
  });

  it('does not let a failure of an older attempt shorten an outage', async () => {
    const { clock, store, health } = setUp();
    const until = clock.now() + 5 * 3_600_000;
    await health.reportFailure(plantFailure('window_exhausted', { unavailableUntil: until }));
    await health.reportFailure(plantFailure('rate_limited'));
    await health.reportFailure(plantFailure('rate_limited'));
    for (let failure = 0; failure < 6; failure += 1) await health.reportFailure(plantFailure('broken'));
    expect(health.availability()).toMatchObject({ open: false, until });
    expect(store.doc).toMatchObject({ state: 'cooling', until });
  });

  it('closes a cooling lane whose key is refused', async () => {
    const { clock, health } = setUp();
    await health.reportFailure(plantFailure('window_exhausted', { unavailableUntil: clock.now() + 1_000 }));
    await health.reportFailure(plantFailure('unauthorized'));
    expect(health.state).toBe('needs_key');
  });

  it('takes in what the database says', () => {
    const { clock, store, health } = setUp();
    health.refresh({ ...store.doc, state: 'off', until: null, why: 'by its owner', stateChangedAt: clock.now() });
    expect(health.availability()).toEqual({ open: false, why: 'by its owner' });
  });

  it('is not undone by what was read before its own change', async () => {
    const { clock, store, health } = setUp();
    const before = store.doc;
    await health.reportFailure(plantFailure('unauthorized'));
    health.refresh(before);
    expect(health.state).toBe('needs_key');
    health.refresh({ ...before, state: 'ready', until: null, why: null, stateChangedAt: clock.now() + 1 });
    expect(health.state).toBe('ready');
  });

  it('ignores what was read while its own change is on its way', async () => {
    const { clock, store, health } = setUp();
    const changing = health.reportFailure(plantFailure('unauthorized'));
    health.refresh({ ...store.doc, state: 'ready', stateChangedAt: clock.now() + 1 });
    expect(health.state).toBe('needs_key');
    await changing;
  });

  it('gives way to the database when that refuses the change', async () => {
    const { clock, store, health } = setUp();
    store.doc = { ...store.doc, state: 'off', stateChangedAt: clock.now() - 1 };
    await health.reportFailure(plantFailure('window_exhausted'));
    health.refresh(store.doc);
    expect(health.state).toBe('off' satisfies LaneState);
  });

  it('holds here and does not fail the attempt while the database is away', async () => {
    const { clock, store, health, lines } = setUp();
    store.away = true;
    await health.reportFailure(plantFailure('window_exhausted', { unavailableUntil: clock.now() + 1_000 }));
    health.refresh(store.doc);
    expect(health.availability()).toMatchObject({ open: false });
    clock.advance(1_000);
    await health.reportAnswer();
    expect(health.state).toBe('ready');
    expect(lines.filter((line) => line.includes('could not be stored'))).toHaveLength(2);
  });

  it('lets a change that somebody asked for fail when it can’t be stored', async () => {
    const { store, health } = setUp();
    store.away = true;
    await expect(health.change('off')).rejects.toThrow('away');
  });

  it('writes nothing for an answer of a lane that is ready', async () => {
    const { store, health } = setUp();
    await health.reportAnswer();
    await health.reportFailure(plantFailure('caller_fault'));
    expect(store.transitions).toBe(0);
  });
});
