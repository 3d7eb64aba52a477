import OpenAI, { APIError, AuthenticationError, BadRequestError, NotFoundError, RateLimitError } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, type Gateway } from '../support/gateway.ts';
import { createWire, type WireAnswer, type WireCall } from '../support/wire-call.ts';
import { chatCall as chat, REFUSED_CALLS } from '../support/wire-refusals.ts';

/** Every row of the table of errors, as a caller sees it, on the plan lane, on the durable path and on the direct one. */
const PLAN = 'gpt-5.5';
const DURABLE = 'durable';
const DIRECT = 'direct';

let gateway: Gateway;
let call: (call: WireCall) => Promise<WireAnswer>;
let appKey: string;

beforeAll(async () => {
  gateway = await startGateway({ home: {} });
  const { admin, chatgpt, openai, url, adminKey } = gateway;
  const home = await admin.addAccount('home', (code) => chatgpt.approve(code, 'home'));
  await admin.setRoute(PLAN, [home.id]);
  const addLane = (alias: string) =>
    admin.addKeyLane({ alias, baseUrl: openai.url, apiKey: openai.key, models: ['any'] });
  const meter = await addLane('meter');
  await admin.call('PUT', `/admin/routes/${DURABLE}`, { lanes: [{ laneId: meter }], direct: false });
  await admin.call('PUT', `/admin/routes/${DIRECT}`, { lanes: [{ laneId: meter }], direct: true });
  for (const kind of ['durable', 'direct']) {
    for (const word of ['spent', 'hurried', 'loaded', 'broken', 'locked']) {
      const lanes = [{ laneId: await addLane(`${word}-${kind}`) }];
      await admin.call('PUT', `/admin/routes/${word}-${kind}`, { lanes, direct: kind === 'direct' });
    }
  }
  call = createWire(url, adminKey);
  appKey = await admin.createKey('app', false);
});
afterAll(() => gateway.stop());

/** What every refusal has; returns the error. */
function expectError(answer: WireAnswer, status: number): Record<string, unknown> {
  const { headers, json, text } = answer;
  expect(answer.status, text).toBe(status);
  expect(headers.get('content-type')).toMatch(/^application\/json/);
  expect(headers.get('x-request-id')).toMatch(/^req_[0-9a-f]{32}$/);
  expect(headers.get('openai-processing-ms')).toMatch(/^\d+$/);
  // A key has no limits of requests or tokens yet: a number here would be made up.
  expect([...headers.keys()].filter((name) => name.startsWith('x-ratelimit'))).toEqual([]);
  const { error } = json as { error: Record<string, unknown> };
  expect(Object.keys(json as object)).toEqual(['error']);
  const keys = Object.keys(error).filter((key) => key !== 'resets_at');
  expect(keys.toSorted()).toEqual(['code', 'message', 'param', 'type']);
  expect(error['message']).toEqual(expect.stringMatching(/\S/));
  const after = headers.get('retry-after-ms');
  expect(headers.get('retry-after')).toBe(after === null ? null : String(Math.ceil(Number(after) / 1000)));
  return error;
}

describe('a caller’s mistake', () => {
  it.each(REFUSED_CALLS)('%s is told in OpenAI’s words', async (_, ask, status, code, param) => {
    const answer = await call(ask({ model: PLAN, appKey }));
    const error = expectError(answer, status);
    expect(error).toMatchObject({ type: 'invalid_request_error', code, param });
    expect(answer.text).not.toMatch(/secret|stack|FST_|at Object/);
  });

  it.each([
    ['[[context]]', 'context_length_exceeded'],
    ['[[policy]]', 'content_policy_violation'],
  ])('%s is told alike by every lane', async (word, code) => {
    for (const model of [PLAN, DURABLE, DIRECT]) {
      const error = expectError(await call(chat(model, `${word} hello`)), 400);
      expect(error).toMatchObject({ type: 'invalid_request_error', code });
    }
  });

  it.each([
    [() => ({ path: '/v1/models', headers: { authorization: 'Bearer x' } }), AuthenticationError],
    [() => chat('nobody-has-it'), NotFoundError],
    [() => chat(PLAN, '', { n: 2 }), BadRequestError],
  ] as const)('becomes its class of the official client: %#', async (ask, kind) => {
    const { path, ...rest } = ask() as WireCall;
    const options = { ...rest, method: rest.body === undefined ? 'get' : 'post', path: path.slice(3) } as const;
    const failed = gateway.client().request(options);
    await expect(failed).rejects.toBeInstanceOf(kind);
    await expect(failed).rejects.toBeInstanceOf(APIError);
  });
});

describe.each(['durable', 'direct'])('a lane that is out, on the %s path', (kind) => {
  it('is told at once, with the reset, and no client calls again', async () => {
    const model = `spent-${kind}`;
    const before = gateway.openai.counts().calls;
    const resetsAt = Date.now() / 1000 + 3600;
    const patient = new OpenAI({ apiKey: gateway.adminKey, baseURL: `${gateway.url}/v1`, maxRetries: 2 });
    for (const content of ['[[limit]]', 'and now?']) {
      const failed = await patient.chat.completions
        .create({ model, messages: [{ role: 'user', content }] })
        .catch((error: unknown) => error);
      expect(failed).toBeInstanceOf(RateLimitError);
    }
    // The first has found it out; nobody was asked for the others.
    expect(gateway.openai.counts().calls - before).toBe(1);
    const answer = await call(chat(model));
    const error = expectError(answer, 429);
    expect(error).toMatchObject({ type: 'usage_limit_reached', code: 'usage_limit_reached', param: null });
    expect(Math.abs(Number(error['resets_at']) - resetsAt)).toBeLessThan(60);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(3_500);
    expect(answer.headers.get('x-should-retry')).toBe('false');
  });

  it('by a burst limit says so, and when to come again', async () => {
    const answer = await call(chat(`hurried-${kind}`, '[[status:429]] [[retry-after:30]]'));
    const error = expectError(answer, 429);
    expect(['rate_limit_exceeded', 'usage_limit_reached']).toContain(error['code']);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(20);
  });

  it('by overload says so, and when to come again', async () => {
    const answer = await call(chat(`loaded-${kind}`, '[[status:503]]'));
    const error = expectError(answer, 503);
    expect(error).toMatchObject({ type: 'service_unavailable_error', code: 'server_is_overloaded', param: null });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(answer.headers.get('x-should-retry')).toBeNull();
    // Both of its tries have failed, so the lane backs off.
    await expect.poll(async () => (await call(chat(`loaded-${kind}`))).status).toBe(503);
    const meanwhile = await call(chat(`loaded-${kind}`));
    expect(expectError(meanwhile, 503)).toMatchObject({ code: 'server_is_overloaded' });
    expect(Number(meanwhile.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    expect(meanwhile.headers.get('x-should-retry')).toBeNull();
  });

  it('by breakage says so in our own words, and when to come again to those who come while it recovers', async () => {
    const model = `broken-${kind}`;
    const first = await call(chat(model, '[[status:500]]'));
    for (let answer = first; answer.status === 502; answer = await call(chat(model, '[[status:500]]'))) {
      expect(expectError(answer, 502)).toMatchObject({ type: 'server_error', code: null, param: null });
      expect(answer.text).not.toContain('As scripted');
    }
    expect(first.status).toBe(502);
    // The fifth failure in a minute has opened the breaker; for a quarter of a second the api may not know it.
    await expect.poll(async () => (await call(chat(model, '[[status:500]]'))).status).toBe(503);
    const answer = await call(chat(model));
    expect(expectError(answer, 503)).toMatchObject({ code: 'server_is_overloaded' });
    expect(Number(answer.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    expect(answer.headers.get('x-should-retry')).toBeNull();
  });

  it('by a key that is not accepted says so, and is closed to those who come later', async () => {
    const answer = await call(chat(`locked-${kind}`, '[[status:401]]'));
    expect(expectError(answer, 502)).toMatchObject({ type: 'server_error', code: null, param: null });
    // For a quarter of a second the api may not know it.
    await expect.poll(async () => (await call(chat(`locked-${kind}`))).status).toBe(503);
    const closed = await call(chat(`locked-${kind}`));
    expect(expectError(closed, 503)).toMatchObject({
      type: 'service_unavailable_error',
      code: 'server_is_overloaded',
    });
    expect(closed.headers.get('retry-after')).toMatch(/^\d+$/);
  });
});
