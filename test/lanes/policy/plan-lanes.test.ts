import { describe, expect, it } from 'vitest';
import type { LaneState } from '../../../core/contracts/lane.ts';
import { LANE_WITHOUT_WORKER_MS } from '../../../core/contracts/timings.ts';
import { planLanes, returnOf, type LaneView, type RouteView } from '../../../lanes/policy/plan-lanes.ts';

const NOW = 1_700_000_000_000;
const ALL = { planLanes: true };
const KEYS_ONLY = { planLanes: false };

const lane = (_id: string, given: Partial<LaneView> = {}): LaneView => ({
  hold: 'none',
  weeklyReservePercent: 0,
  windows: [],
  _id,
  kind: 'key',
  alias: _id,
  state: 'ready',
  until: null,
  rank: 1,
  concurrency: 4,
  models: ['m'],
  ...given,
});
const plan = (lanes: LaneView[], routes: RouteView[] = [], permissions = ALL) => {
  const result = planLanes('m', routes, lanes, permissions, NOW);
  if (!result.known) throw new Error('the model is not known');
  return result;
};
const idsOf = (lanes: LaneView[], routes: RouteView[] = [], permissions = ALL): string[] =>
  plan(lanes, routes, permissions).lanes.map(({ laneId }) => laneId);

describe('a model without a route', () => {
  it('is served by plan lanes before key lanes, each by rank', () => {
    const lanes = [
      lane('k2', { rank: 2 }),
      lane('k1', { rank: 1 }),
      lane('p9', { kind: 'plan', rank: 9 }),
      lane('p8', { kind: 'plan', rank: 8 }),
    ];
    expect(idsOf(lanes)).toEqual(['p8', 'p9', 'k1', 'k2']);
  });

  it('is served by lanes that list it or take any model, under its own name', () => {
    const lanes = [lane('other', { models: ['x'] }), lane('any', { models: ['*'] }), lane('none', { models: [] })];
    expect(plan(lanes).lanes).toEqual([
      { laneId: 'any', kind: 'key', alias: 'any', model: 'm', concurrency: 4, unavailableUntil: 0 },
    ]);
  });

  it('is unknown when no lane lists it', () => {
    expect(planLanes('m', [], [lane('a', { models: ['x'] })], ALL, NOW)).toEqual({ known: false });
    expect(planLanes('m', [], [], ALL, NOW)).toEqual({ known: false });
  });
});

describe('a lane that no worker serves', () => {
  it('is out for a moment, whatever its state says, and not as one whose window is used up', () => {
    const silent = lane('p', { kind: 'plan', silent: true });
    const { lanes } = plan([silent, lane('k')]);
    expect(lanes.map(({ laneId, unavailableUntil }) => [laneId, unavailableUntil])).toEqual([
      ['p', NOW + LANE_WITHOUT_WORKER_MS],
      ['k', 0],
    ]);
    expect(lanes.map(({ backsOff }) => backsOff)).toEqual([true, undefined]);
  });

  it('is out as long as its window when that takes longer, and closed when it is closed', () => {
    const until = NOW + 3_600_000;
    const cooling = lane('c', { kind: 'plan', silent: true, state: 'cooling', until });
    const signedOut = lane('s', { kind: 'plan', silent: true, state: 'needs_login' });
    const { lanes, closed } = plan([cooling, signedOut]);
    expect(lanes.map(({ unavailableUntil, backsOff }) => [unavailableUntil, backsOff])).toEqual([[until, undefined]]);
    expect(closed).toEqual(['s (needs_login)']);
  });
});

describe('a lane that is out', () => {
  const until = NOW + 8_000;
  const week = [{ durationMinutes: 10_080, usedPercent: 80, resetsAt: NOW + 9_000 }];

  it.each<[string, Partial<LaneView>, true | undefined]>([
    ['pauses after failures', { state: 'unhealthy' }, true],
    ['pauses for a rate limit', { state: 'cooling', backsOff: true }, true],
    ['is out of its window', { state: 'cooling', backsOff: false }, undefined],
    ['is out, as an earlier version has stored it,', { state: 'cooling' }, undefined],
    ['is back', { state: 'cooling', backsOff: true, until: NOW }, undefined],
  ])('and %s is planned as such', (_, given, backsOff) => {
    expect(plan([lane('a', { until, ...given })]).lanes[0]?.backsOff).toBe(backsOff);
  });

  it('pauses for nobody whom its weekly reserve keeps out for longer', () => {
    const paused = lane('a', { state: 'cooling', backsOff: true, until, weeklyReservePercent: 20, windows: week });
    const planFor = (purpose: 'interactive' | 'batch') => {
      const result = planLanes('m', [], [paused], { ...ALL, purpose }, NOW);
      return result.known ? result.lanes : [];
    };
    expect(planFor('interactive')).toMatchObject([{ unavailableUntil: until, backsOff: true }]);
    expect(planFor('batch')[0]).toMatchObject({ unavailableUntil: NOW + 9_000 });
    expect(planFor('batch')[0]?.backsOff).toBeUndefined();
  });
});

describe('a model with a route', () => {
  const route = (...lanes: { laneId: string; model: string }[]): RouteView => ({ _id: 'm', lanes });

  it('is served by the lanes of the route in its order, under the names that it gives', () => {
    const lanes = [lane('p', { kind: 'plan' }), lane('k', { models: [] }), lane('listed')];
    const routes = [route({ laneId: 'k', model: 'vendor/m' }, { laneId: 'p', model: 'gpt' })];
    expect(plan(lanes, routes).lanes.map(({ laneId, model }) => [laneId, model])).toEqual([
      ['k', 'vendor/m'],
      ['p', 'gpt'],
    ]);
  });

  it('is known though every lane of the route is gone', () => {
    expect(plan([], [route({ laneId: 'gone', model: 'm' })])).toEqual({
      known: true,
      lanes: [],
      standings: [],
      forbidden: false,
      closed: [],
      withheld: [],
      direct: false,
    });
  });
});

describe('a key without plan lanes', () => {
  it('gets the key lanes alone', () => {
    expect(idsOf([lane('p', { kind: 'plan' }), lane('k')], [], KEYS_ONLY)).toEqual(['k']);
  });

  it('is told that it is forbidden where only plan lanes serve', () => {
    expect(plan([lane('p', { kind: 'plan' })], [], KEYS_ONLY)).toMatchObject({
      forbidden: true,
      lanes: [],
      closed: [],
    });
  });

  it('is not told so where a key lane is closed', () => {
    const lanes = [lane('p', { kind: 'plan' }), lane('k', { state: 'needs_key' })];
    expect(plan(lanes, [], KEYS_ONLY)).toMatchObject({ forbidden: false, closed: ['k (needs_key)'] });
  });
});

/** Milliseconds from now until the lane is back; null where it stays closed until somebody does something. */
const RETURNS: Record<LaneState, { past: number | null; future: number | null; unknown: number | null }> = {
  ready: { past: 0, future: 0, unknown: 0 },
  cooling: { past: 0, future: 60_000, unknown: 0 },
  unhealthy: { past: 0, future: 60_000, unknown: 0 },
  signing_in: { past: null, future: null, unknown: null },
  needs_login: { past: null, future: null, unknown: null },
  needs_key: { past: null, future: null, unknown: null },
  off: { past: null, future: null, unknown: null },
};

describe.each(Object.entries(RETURNS) as [LaneState, (typeof RETURNS)[LaneState]][])(
  'a lane that is %s',
  (state, row) => {
    const asTime = (ms: number | null): number | undefined => (ms === null ? undefined : ms === 0 ? 0 : NOW + ms);

    it('returns when its state says so', () => {
      expect(returnOf({ state, until: NOW - 1 }, NOW)).toBe(asTime(row.past));
      expect(returnOf({ state, until: NOW }, NOW)).toBe(asTime(row.past));
      expect(returnOf({ state, until: NOW + 60_000 }, NOW)).toBe(asTime(row.future));
      expect(returnOf({ state, until: null }, NOW)).toBe(asTime(row.unknown));
    });

    it(row.future === null ? 'is left out and named as closed' : 'stays in the plan in its place', () => {
      const result = plan([lane('a', { state, until: NOW + 60_000 }), lane('b', { rank: 2 })]);
      expect(result.lanes.map(({ laneId }) => laneId)).toEqual(row.future === null ? ['b'] : ['a', 'b']);
      expect(result.closed).toEqual(row.future === null ? [`a (${state})`] : []);
      if (row.future !== null) expect(result.lanes[0]?.unavailableUntil).toBe(asTime(row.future));
    });
  },
);

describe('what the owner wants of a lane', () => {
  it.each(['paused', 'draining', 'removing'] as const)(
    'leaves out a lane that is %s and names it as closed',
    (hold) => {
      const result = plan([lane('a', { hold }), lane('b', { rank: 2 })]);
      expect(result.lanes.map(({ laneId }) => laneId)).toEqual(['b']);
      expect(result.closed).toEqual([`a (${hold})`]);
    },
  );

  it('keeps batch lines out of the weekly reserve until the reset, and nobody else', () => {
    const resetsAt = NOW + 9_000;
    const lanes = [
      lane('a', { weeklyReservePercent: 20, windows: [{ durationMinutes: 10_080, usedPercent: 80, resetsAt }] }),
    ];
    const returnFor = (purpose: 'interactive' | 'batch'): number | undefined => {
      const result = planLanes('m', [], lanes, { ...ALL, purpose }, NOW);
      return result.known ? result.lanes[0]?.unavailableUntil : undefined;
    };
    expect(returnFor('batch')).toBe(resetsAt);
    expect(returnFor('interactive')).toBe(0);
    expect(plan(lanes).lanes[0]?.unavailableUntil).toBe(0);
  });
});
