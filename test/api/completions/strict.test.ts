import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CompletionCall } from '../../../api/completions/run-completion.ts';
import { ADMIN_KEY, createApiWorld, type ApiWorld } from '../../support/api-world.ts';
import { plantLaneDoc } from '../../support/planted.ts';

const planLane = plantLaneDoc('p', { kind: 'plan', models: ['m'], rank: 1 });
const keyLane = plantLaneDoc('k', { kind: 'key', models: ['m'], rank: 2 });
const tools = [{ type: 'function', function: { name: 'f' } }];

let api: ApiWorld;
let ran: string[];

beforeEach(async () => {
  api = await createApiWorld();
  ran = [];
  api.world.lanes = [planLane, keyLane];
  api.world.runCompletion = async (call: CompletionCall) => {
    ran.push(call.plan.map(({ laneId }) => laneId).join('+'));
    const meta = { laneId: 'k', laneAlias: 'k', attempts: 1, costMicros: 1, meterMicros: 1, ignoredParams: [] };
    return { type: 'done', body: '{}', meta };
  };
});
afterEach(() => api.close());

const ask = (more: object, url = '/v1/chat/completions', strict = 'true') =>
  api.publicApp.inject({
    method: 'POST',
    url,
    headers: { authorization: `Bearer ${ADMIN_KEY}`, 'x-flatlane-strict': strict },
    payload: { model: 'm', ...(url.endsWith('responses') ? { input: 'hi' } : { messages: HI }), ...more },
  });
const HI = [{ role: 'user', content: 'hi' }];

describe('a request with x-flatlane-strict', () => {
  it('goes down every lane when all of it has its effect there', async () => {
    expect((await ask({ reasoning_effort: 'low' })).statusCode).toBe(200);
    expect(ran).toEqual(['p+k']);
  });

  it.each([
    ['temperature', { temperature: 0 }, undefined],
    ['tool_choice', { tools, tool_choice: 'required' }, undefined],
    ['n', { n: 2 }, undefined],
    ['max_output_tokens', { max_output_tokens: 5 }, '/v1/responses'],
  ])('keeps to key lanes for %s, and is refused without one', async (param, more, url) => {
    await ask(more, url);
    expect(ran).toEqual(['k']);
    api.world.lanes = [planLane];
    // The picture of the lanes is a moment old at most.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const refused = await ask(more, url);
    expect(refused.statusCode).toBe(400);
    expect(refused.json()).toMatchObject({ error: { code: 'unsupported_parameter', param } });
    expect(ran).toEqual(['k']);
  });

  it('means it only when it says true', async () => {
    await ask({ temperature: 0 }, undefined, 'false');
    expect(ran).toEqual(['p+k']);
  });
});
