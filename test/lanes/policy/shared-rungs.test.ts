import { describe, expect, it } from 'vitest';
import { planLanes, type LanePermissions, type Sharing } from '../../../lanes/policy/plan-lanes.ts';
import type { RouteLane } from '../../../lanes/policy/route-rungs.ts';
import type { LaneDoc } from '../../../store/lanes.ts';
import { plantLaneDoc } from '../../support/planted.ts';

const NOW = 1_000;
const ALL: LanePermissions = { planLanes: true };
const home = plantLaneDoc('home', { kind: 'plan', rank: 1 });
const work = plantLaneDoc('work', { kind: 'plan', rank: 1 });
const spare = plantLaneDoc('spare', { kind: 'plan', rank: 2 });
const keyA = plantLaneDoc('keyA', { rank: 1 });
const keyB = plantLaneDoc('keyB', { rank: 1 });

const by = (busy: Readonly<Record<string, number>> = {}): Sharing => ({
  key: () => ({ seed: 'x', sticky: false }),
  inFlight: (laneId) => busy[laneId] ?? 0,
});
const planned = (lanes: readonly LaneDoc[], sharing?: Sharing, route?: readonly RouteLane[], permissions = ALL) => {
  const routes = route === undefined ? [] : [{ _id: 'm', lanes: route }];
  const result = planLanes('m', routes, lanes, permissions, NOW, sharing);
  if (!result.known) throw new Error('the model is not known');
  return result;
};
const ids = (result: ReturnType<typeof planned>): string[] => result.lanes.map(({ laneId }) => laneId);
const on = (laneId: string, rung?: number, weight?: number): RouteLane => ({
  laneId,
  model: 'm',
  ...(rung === undefined ? {} : { rung }),
  ...(weight === undefined ? {} : { weight }),
});

describe('lanes of equal rank', () => {
  it('share, those of another rank are drained in turn, and flat lanes never share with metered ones', () => {
    const lanes = [keyA, spare, home, work, keyB];
    expect(ids(planned(lanes, by({ home: 1, keyA: 1 })))).toEqual(['work', 'home', 'spare', 'keyB', 'keyA']);
    expect(ids(planned(lanes, by({ work: 1, keyB: 1, spare: 0 })))).toEqual(['home', 'work', 'spare', 'keyA', 'keyB']);
    expect(ids(planned(lanes, by({ home: 4, work: 4 })))[2]).toBe('spare');
  });

  it('stay as they are listed where nothing is said of sharing', () => {
    expect(ids(planned([work, home]))).toEqual(['work', 'home']);
  });
});

describe('a route with rungs', () => {
  const lanes = [home, work, keyA, keyB];

  it('tries all lanes of a rung before the next rung, and orders each rung for itself', () => {
    const route = [on('home', 1), on('work', 1), on('keyA', 2), on('keyB', 2)];
    expect(ids(planned(lanes, by({ home: 1, keyA: 1 }), route))).toEqual(['work', 'home', 'keyB', 'keyA']);
    expect(ids(planned(lanes, by({ work: 1, keyB: 1 }), route))).toEqual(['home', 'work', 'keyA', 'keyB']);
  });

  it('may have plan lanes and key lanes on one rung: that is its owner’s choice', () => {
    const route = [on('home', 1), on('keyA', 1)];
    expect(ids(planned(lanes, by({ home: 1 }), route))).toEqual(['keyA', 'home']);
    expect(ids(planned(lanes, by({ home: 1 }), route, { planLanes: true, metered: 'never' }))).toEqual(['home']);
  });

  it('is strictly in order without rungs, however busy its lanes are', () => {
    const route = [on('keyA'), on('keyB'), on('home')];
    expect(ids(planned(lanes, by({ keyA: 99 }), route))).toEqual(['keyA', 'keyB', 'home']);
  });

  it('counts a lane without a weight as one where others of its rung have one', () => {
    const result = planned(lanes, by(), [on('home', 1, 3), on('work', 1), on('keyA', 2), on('keyB', 2)]);
    const weights = Object.fromEntries(result.lanes.map(({ laneId }, at) => [laneId, result.standings[at]?.weight]));
    expect(weights).toEqual({ home: 3, work: 1, keyA: null, keyB: null });
  });

  it('says where each lane stands', () => {
    const result = planned(lanes, by({ home: 2, work: 1 }), [on('home', 1), on('work', 1), on('keyA', 2)]);
    expect(ids(result)).toEqual(['work', 'home', 'keyA']);
    expect(result.standings).toEqual([
      { rung: 1, weight: null, inFlight: 1 },
      { rung: 1, weight: null, inFlight: 2 },
      { rung: 2, weight: null, inFlight: 0 },
    ]);
  });

  it('puts a lane that is out behind those of its rung, and before the next rung', () => {
    const out = { ...home, state: 'cooling' as const, until: NOW + 1 };
    const route = [on('home', 1), on('work', 1), on('keyA', 2)];
    expect(ids(planned([out, work, keyA], by({ work: 3 }), route))).toEqual(['work', 'home', 'keyA']);
  });

  it('asks for a seed only where lanes share', () => {
    const never: Sharing = { ...by(), key: () => expect.unreachable('nothing is shared') };
    expect(ids(planned(lanes, never, [on('home'), on('keyA')]))).toEqual(['home', 'keyA']);
    expect(ids(planned([home, { ...work, state: 'off' }], never, [on('home', 1), on('work', 1)]))).toEqual(['home']);
  });
});
