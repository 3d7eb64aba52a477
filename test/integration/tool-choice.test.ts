import { BadRequestError } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, type Gateway } from '../support/gateway.ts';

/** The account first and a key lane behind it; and the account alone. */
const BOTH = 'gpt-5.5';
const PLAN_ONLY = 'plan-only';

const tools = ['get_weather', 'get_time'].map((name) => ({
  type: 'function' as const,
  function: { name, parameters: { type: 'object', properties: {} } },
}));
const CALL = '[[tool:get_time]]';

describe('tool_choice over an account and a key lane', () => {
  let gateway: Gateway;
  let account: string;
  let spare: string;

  beforeAll(async () => {
    gateway = await startGateway({ home: {} });
    const { admin, chatgpt, openai } = gateway;
    account = (await admin.addAccount('home', (code) => chatgpt.approve(code, 'home'))).id;
    spare = await admin.addKeyLane({ alias: 'spare', baseUrl: openai.url, apiKey: openai.key });
    await admin.setRoute(BOTH, [account, spare]);
    await admin.call('PUT', `/admin/routes/${PLAN_ONLY}`, { lanes: [{ laneId: account, model: BOTH }] });
  });
  afterAll(() => gateway.stop());

  const ask = (content: string, model = BOTH, headers: Record<string, string> = {}) =>
    gateway
      .client()
      .chat.completions.create(
        { model, messages: [{ role: 'user', content }], tools, tool_choice: 'required' },
        { headers },
      )
      .withResponse();

  it('is honoured by the account when the model makes the call', async () => {
    const { data, response } = await ask(CALL);
    expect(data.choices[0]?.message.tool_calls).toMatchObject([{ function: { name: 'get_time' } }]);
    expect(response.headers.get('x-flatlane-lane')).toBe(account);
    expect(response.headers.get('x-flatlane-ignored-params')).toBeNull();
  });

  it('sends the request on when the model makes no call, streaming too', async () => {
    const { response } = await ask('no call, please');
    expect(response.headers.get('x-flatlane-lane')).toBe(spare);
    expect(response.headers.get('x-flatlane-attempts')).toBe('2');

    const stream = await gateway.client().chat.completions.create({
      model: BOTH,
      messages: [{ role: 'user', content: 'no call here either' }],
      tools,
      tool_choice: { type: 'function', function: { name: 'get_time' } },
      stream: true,
    });
    let text = '';
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    // The account's text was held back, so this is the key lane's alone.
    expect(text).toBe('echo: no call here either');
  });

  it('is a clear refusal when no other lane is there, and harms nothing', async () => {
    const error: unknown = await ask('only words', PLAN_ONLY).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({ status: 400, code: 'unsupported_parameter', param: 'tool_choice' });
    expect((await ask(CALL, PLAN_ONLY)).response.headers.get('x-flatlane-lane')).toBe(account);
  });

  it('goes to a key lane at once for a strict caller', async () => {
    const { response } = await ask(CALL, BOTH, { 'x-flatlane-strict': 'true' });
    expect(response.headers.get('x-flatlane-lane')).toBe(spare);
    expect(response.headers.get('x-flatlane-attempts')).toBe('1');
  });
});
