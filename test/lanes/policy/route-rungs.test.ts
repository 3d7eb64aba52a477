import { describe, expect, it } from 'vitest';
import { planLanes, type LanePermissions, type LaneView, type RouteView } from '../../../lanes/policy/plan-lanes.ts';
import { namesOf } from '../../../lanes/policy/route-rungs.ts';
import { plantLaneDoc } from '../../support/planted.ts';

const SETTINGS = { preset: null, authHeader: 'authorization', sealedHeaders: null, prices: [] };
const mapped = (asked: string, upstream: string) => ({ ...SETTINGS, modelMap: [{ asked, upstream }] });
const plan = plantLaneDoc('plan', { kind: 'plan', models: ['gpt'] });
const openai = plantLaneDoc('openai', { models: ['gpt'] });
const azure = plantLaneDoc('azure', { models: [], keySettings: mapped('gpt', 'my-deployment') });

function planned(lanes: readonly LaneView[], routes: readonly RouteView[], permissions: Partial<LanePermissions> = {}) {
  const result = planLanes('gpt', routes, lanes, { planLanes: true, ...permissions }, 1_000);
  if (!result.known) throw new Error('the model is unknown');
  return result;
}
const names = (result: ReturnType<typeof planned>) => result.lanes.map(({ laneId, model }) => `${laneId}=${model}`);
const route = (lanes: readonly string[], more: Partial<RouteView> = {}): RouteView => ({
  _id: 'gpt',
  lanes: lanes.map((laneId) => ({ laneId, model: 'gpt' })),
  ...more,
});

describe("a lane's own names of models", () => {
  it('take the place of the name that was asked for, with and without a route', () => {
    expect(names(planned([openai, azure], []))).toEqual(['openai=gpt', 'azure=my-deployment']);
    expect(names(planned([openai, azure], [route(['azure', 'openai'])]))).toEqual([
      'azure=my-deployment',
      'openai=gpt',
    ]);
  });

  it('give way to the name that the route itself gives', () => {
    const own = { _id: 'gpt', lanes: [{ laneId: 'azure', model: 'other-deployment' }] };
    expect(names(planned([azure], [own]))).toEqual(['azure=other-deployment']);
  });

  it('are models of the lane, and the star is none', () => {
    expect(namesOf({ ...azure, models: ['*', 'x'] })).toEqual(['x', 'gpt']);
    expect(planLanes('my-deployment', [], [azure], { planLanes: true }, 0)).toEqual({ known: false });
  });

  it('leave other models of a lane for any as they are', () => {
    const any = plantLaneDoc('any', { models: ['*'], keySettings: mapped('other', 'x') });
    expect(names(planned([any], []))).toEqual(['any=gpt']);
  });
});

describe('consent in a plan', () => {
  const mixed = [plan, openai];
  it.each<[string, Partial<LanePermissions>, Partial<RouteView>, string[]]>([
    ['says nothing', {}, {}, ['plan=gpt', 'openai=gpt']],
    ['is auto', { metered: 'auto' }, {}, ['plan=gpt', 'openai=gpt']],
    ['is never', { metered: 'never' }, {}, ['plan=gpt']],
    ['is never, whatever the request allows', { metered: 'never', allowMetered: true }, {}, ['plan=gpt']],
    ['is ask', { metered: 'ask' }, {}, ['plan=gpt']],
    ['is ask, and the request allows it', { metered: 'ask', allowMetered: true }, {}, ['plan=gpt', 'openai=gpt']],
    ['is never on the route', { metered: 'auto', allowMetered: true }, { metered: 'never' }, ['plan=gpt']],
    ['is ask on the route', { metered: 'auto' }, { metered: 'ask' }, ['plan=gpt']],
  ])('that %s leaves the lanes that it should', (_, permissions, said, expected) => {
    const result = planned(mixed, [route(['plan', 'openai'], said)], permissions);
    expect(names(result)).toEqual(expected);
    expect(result.withheld).toEqual(expected.length === 2 ? [] : ['openai']);
    expect(result.forbidden).toBe(false);
  });

  it('that leaves no lane at all is a refusal', () => {
    expect(planned([openai], [], { metered: 'never' })).toMatchObject({
      lanes: [],
      forbidden: true,
      withheld: ['openai'],
    });
  });
});

describe('the direct path', () => {
  it('is for key lanes alone', () => {
    expect(planned([openai, azure], []).direct).toBe(true);
    expect(planned([plan, openai], []).direct).toBe(false);
    expect(planned([plan, openai], [], { planLanes: false }).direct).toBe(false);
  });

  it('does not depend on the state of a plan lane', () => {
    expect(planned([{ ...plan, state: 'needs_login' }, openai], []).direct).toBe(false);
  });

  it('is left when the route says so', () => {
    expect(planned([openai], [route(['openai'], { direct: false })]).direct).toBe(false);
    expect(planned([openai], [route(['openai'], { direct: true })]).direct).toBe(true);
  });
});
