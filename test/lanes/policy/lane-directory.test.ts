import { describe, expect, it } from 'vitest';
import { createLaneDirectory } from '../../../lanes/policy/lane-directory.ts';
import { createLaneLoad } from '../../../lanes/policy/lane-load.ts';
import type { LaneView, RouteView } from '../../../lanes/policy/plan-lanes.ts';
import { createMovableClock } from '../../support/movable-clock.ts';
import { plantLaneDoc } from '../../support/planted.ts';

const ALL = { planLanes: true };

function setUp() {
  const clock = createMovableClock();
  const world = {
    lanes: [plantLaneDoc('k')] as LaneView[],
    routes: [] as RouteView[],
    reads: 0,
    failing: undefined as Error | undefined,
  };
  const directory = createLaneDirectory({
    listLanes: async () => {
      world.reads += 1;
      if (world.failing !== undefined) throw world.failing;
      return world.lanes;
    },
    listRoutes: async () => world.routes,
    clock,
    ages: clock,
  });
  return { clock, world, directory };
}

describe('the lane directory', () => {
  it('reads once for requests that come together, and again when its picture is older than a quarter second', async () => {
    const { clock, world, directory } = setUp();
    await Promise.all([directory.plan('m', ALL), directory.plan('m', ALL), directory.models(ALL)]);
    clock.advance(250);
    await directory.plan('m', ALL);
    expect(world.reads).toBe(1);
    clock.advance(1);
    world.lanes = [];
    expect(await directory.plan('m', ALL)).toEqual({ known: false });
    expect(world.reads).toBe(2);
  });

  it('takes a new picture also while the wall clock stands behind the last one', async () => {
    const clock = createMovableClock();
    const ages = createMovableClock(0);
    let reads = 0;
    const listLanes = async (): Promise<LaneView[]> => {
      reads += 1;
      return [plantLaneDoc('k')];
    };
    const directory = createLaneDirectory({ listLanes, listRoutes: async () => [], clock, ages });
    await directory.plan('m', ALL);
    clock.advance(-3_600_000);
    ages.advance(251);
    await directory.plan('m', ALL);
    expect(reads).toBe(2);
  });

  it('sees a change at once after a refresh', async () => {
    const { world, directory } = setUp();
    await directory.plan('m', ALL);
    world.lanes = [];
    expect(await directory.plan('m', ALL)).toMatchObject({ known: true });
    directory.refresh();
    expect(await directory.plan('m', ALL)).toEqual({ known: false });
  });

  it('tells the lanes’ return by the time now, not by the time of the picture', async () => {
    const { clock, world, directory } = setUp();
    world.lanes = [plantLaneDoc('k', { state: 'cooling', until: clock.now() + 100 })];
    expect(await directory.plan('m', ALL)).toMatchObject({ lanes: [{ unavailableUntil: clock.now() + 100 }] });
    clock.advance(100);
    expect(await directory.plan('m', ALL)).toMatchObject({ lanes: [{ unavailableUntil: 0 }] });
    expect(world.reads).toBe(1);
  });

  it('does not keep a failed read', async () => {
    const { world, directory } = setUp();
    world.failing = new Error('away');
    await expect(directory.plan('m', ALL)).rejects.toThrow('away');
    world.failing = undefined;
    expect(await directory.plan('m', ALL)).toMatchObject({ known: true });
  });

  it('keeps the newer picture when an older read fails behind it', async () => {
    const clock = createMovableClock();
    let failFirst: (error: Error) => void = () => undefined;
    let reads = 0;
    const directory = createLaneDirectory({
      listLanes: () => {
        reads += 1;
        if (reads > 1) return Promise.resolve([plantLaneDoc('k')]);
        return new Promise((_, reject) => {
          failFirst = reject;
        });
      },
      listRoutes: () => Promise.resolve([]),
      clock,
    });
    const first = directory.plan('m', ALL);
    directory.refresh();
    await directory.plan('m', ALL);
    failFirst(new Error('away'));
    await expect(first).rejects.toThrow('away');
    await directory.plan('m', ALL);
    expect(reads).toBe(2);
  });

  it('puts requests that come together on lanes that share one after the other', async () => {
    const load = createLaneLoad();
    const directory = createLaneDirectory({
      listLanes: async () => [plantLaneDoc('a'), plantLaneDoc('b')],
      listRoutes: async () => [],
      clock: createMovableClock(),
      inFlight: load.inFlight,
      onPlanned: (laneId) => load.expect(laneId),
    });
    const plans = await Promise.all(
      Array.from({ length: 4 }, () => directory.plan('m', ALL, () => ({ seed: 'one', sticky: false }))),
    );
    const firsts = plans.map((plan) => (plan.known ? plan.lanes[0]?.laneId : undefined));
    expect(firsts.map(String).toSorted()).toEqual(['a', 'a', 'b', 'b']);
  });

  it('counts each request once, so that a burst behind one that is under way fills the lanes alike', async () => {
    const load = createLaneLoad();
    const directory = createLaneDirectory({
      listLanes: async () => [plantLaneDoc('a', { concurrency: 2 }), plantLaneDoc('b', { concurrency: 2 })],
      listRoutes: async () => [],
      clock: createMovableClock(),
      inFlight: load.inFlight,
      onPlanned: (laneId) => load.expect(laneId),
    });
    const begin = async (): Promise<string> => {
      const plan = await directory.plan('m', ALL, () => ({ seed: 'one', sticky: true }));
      const laneId = plan.known ? (plan.lanes[0]?.laneId ?? 'none') : 'unknown';
      load.enter(laneId);
      return laneId;
    };
    const first = await begin();
    await new Promise((resolve) => setImmediate(resolve));
    // All in one round of the event loop, as requests come whose sockets are read one after the other.
    const burst = [await begin(), await begin(), await begin()];
    expect([first, ...burst].toSorted()).toEqual(['a', 'a', 'b', 'b']);
  });

  it('lists the models of routes and of the lanes that a key may use, each once and in order', async () => {
    const { world, directory } = setUp();
    world.lanes = [
      plantLaneDoc('p', { kind: 'plan', models: ['gpt', 'm'] }),
      plantLaneDoc('k', { models: ['*', 'm', 'b'] }),
    ];
    world.routes = [{ _id: 'a', lanes: [] }];
    expect(await directory.models(ALL)).toEqual(['a', 'b', 'gpt', 'm']);
    expect(await directory.models({ planLanes: false })).toEqual(['a', 'b', 'm']);
  });
});
