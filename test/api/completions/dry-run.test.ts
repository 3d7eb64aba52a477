import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN_KEY, APP_KEY, createApiWorld, type ApiWorld } from '../../support/api-world.ts';
import { plantLaneDoc } from '../../support/planted.ts';

const LATER = Date.now() + 600_000;
const plan = plantLaneDoc('p', { kind: 'plan', alias: 'home', models: ['m'], rank: 1 });
const other = plantLaneDoc('q', { kind: 'plan', alias: 'work', models: ['m'], rank: 2 });
const key = plantLaneDoc('k', { kind: 'key', alias: 'meter', models: ['m'], rank: 1 });

interface Answer {
  readonly status: number;
  readonly body: {
    readonly lane: string | null;
    readonly path: string;
    readonly lanes: readonly {
      readonly lane: string;
      readonly verdict: string;
      readonly why: string;
      readonly until?: number;
    }[];
    readonly left_out: readonly string[];
    readonly error?: { readonly code: string };
  };
}

describe('a dry run', () => {
  let api: ApiWorld;
  beforeAll(async () => {
    api = await createApiWorld();
  });
  afterAll(() => api.close());
  beforeEach(() => {
    // A completion that is begun fails: no test plants one.
    api.world.lanes = [plan, other, key];
  });

  const ask = async (
    more: object = {},
    bearer = ADMIN_KEY,
    path = '/v1/chat/completions',
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    // The picture of the lanes is a moment old at most.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const response = await api.publicApp.inject({
      method: 'POST',
      url: path,
      headers: { authorization: `Bearer ${bearer}`, 'x-flatlane-dry-run': 'true', ...headers },
      payload: { model: 'm', messages: [{ role: 'user', content: 'hi' }], ...more },
    });
    return { status: response.statusCode, body: response.json() };
  };
  const verdicts = ({ body }: Answer): string[] => body.lanes.map(({ lane, verdict }) => `${lane} ${verdict}`);

  it('names the lane that the request would take, and those behind it', async () => {
    const told = await ask();
    expect(told).toMatchObject({ status: 200, body: { lane: 'p', path: 'workflow', left_out: [] } });
    expect(verdicts(told)).toEqual(['p takes', 'q after', 'k after']);
  });

  it('passes over lanes that are out, and says until when', async () => {
    api.world.lanes = [{ ...plan, state: 'cooling', until: LATER }, other, key];
    const told = await ask();
    expect(verdicts(told)).toEqual(['p out', 'q takes', 'k after']);
    expect(told.body.lanes[0]?.until).toBe(Math.floor(LATER / 1000));
  });

  it('tells a lane that pauses from one that is out of its window', async () => {
    api.world.lanes = [
      { ...plan, state: 'cooling', until: LATER },
      { ...key, state: 'cooling', until: LATER, backsOff: true },
    ];
    const { body } = await ask();
    expect(body.lanes.map(({ why }) => why)).toEqual([
      'the lane is out of its window',
      'the lane pauses after failures or a rate limit, or waits for its worker',
    ]);
  });

  it('says so when no lane is open, instead of an error', async () => {
    api.world.lanes = [
      { ...plan, state: 'cooling', until: LATER },
      { ...key, state: 'needs_key' },
    ];
    expect(await ask()).toMatchObject({ status: 200, body: { lane: null, left_out: ['meter (needs_key)'] } });
  });

  it('passes over plan lanes for what they can not do', async () => {
    const told = await ask({ n: 2 });
    expect(verdicts(told)).toEqual(['p cannot', 'q cannot', 'k takes']);
  });

  it('reads a request of the other endpoint as such', async () => {
    const told = await ask({ input: 'hi', messages: undefined }, ADMIN_KEY, '/v1/responses');
    expect(verdicts(told)).toEqual(['p takes', 'q after', 'k after']);
  });

  it('says on which rung each lane is, and how busy, and puts those that share in order', async () => {
    const rungs = ['p', 'q', 'k'].map((laneId, at) => ({ laneId, model: 'm', rung: at < 2 ? 1 : 2 }));
    api.world.routes = [{ _id: 'm', lanes: rungs }];
    const leave = Array.from({ length: 3 }, () => api.load.enter('p'));
    try {
      const { body } = await ask();
      expect(body.lanes).toMatchObject([
        { lane: 'q', rung: 1, weight: null, in_flight: 0, slots: 4, verdict: 'takes' },
        { lane: 'p', rung: 1, weight: null, in_flight: 3, slots: 4, verdict: 'after' },
        { lane: 'k', rung: 2, in_flight: 0, verdict: 'after' },
      ]);
    } finally {
      for (const over of leave) over();
      api.world.routes = [];
    }
  });

  it.each<[string, object, string[], string | null]>([
    ['usage_limit', {}, ['p drilled', 'q takes', 'k after'], 'q'],
    ['rate_limit', {}, ['p takes', 'q after', 'k after'], 'p'],
    ['rate_limit@home', {}, ['p drilled', 'q takes', 'k after'], 'q'],
    ['usage_limit@work', {}, ['p takes', 'q after', 'k after'], 'p'],
    ['broken_stream', { stream: true }, ['p drilled', 'q after', 'k after'], null],
  ])('says what a drill of %s would come to', async (drill, more, expected, lane) => {
    const told = await ask(more, ADMIN_KEY, undefined, { 'x-flatlane-drill': drill });
    expect(verdicts(told)).toEqual(expected);
    expect(told.body.lane).toBe(lane);
  });

  it('refuses a drill to a key that is no admin’s', async () => {
    const told = await ask({}, APP_KEY, undefined, { 'x-flatlane-drill': 'usage_limit' });
    expect(told).toMatchObject({ status: 403, body: { error: { code: 'insufficient_permissions' } } });
  });

  it('keeps to the lanes of the key', async () => {
    expect(verdicts(await ask({}, APP_KEY))).toEqual(['k takes']);
    api.world.lanes = [plan];
    expect(await ask({}, APP_KEY)).toMatchObject({
      status: 403,
      body: { error: { code: 'insufficient_permissions' } },
    });
    expect(await ask({ model: 'unknown' })).toMatchObject({
      status: 404,
      body: { error: { code: 'model_not_found' } },
    });
  });
});
