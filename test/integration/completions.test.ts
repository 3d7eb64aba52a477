import {
  APIError,
  AuthenticationError,
  BadRequestError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
} from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, type Gateway } from '../support/gateway.ts';

const MODEL = 'gpt-5.5';

describe('completions over two accounts and a key lane', () => {
  let gateway: Gateway;
  let lanes: { home: string; work: string; key: string };

  beforeAll(async () => {
    gateway = await startGateway({ home: {}, work: {} });
    const { admin, chatgpt, openai } = gateway;
    const home = await admin.addAccount('home', (code) => chatgpt.approve(code, 'home'));
    const work = await admin.addAccount('work', (code) => chatgpt.approve(code, 'work'));
    const key = await admin.addKeyLane({ alias: 'meter', baseUrl: openai.url, apiKey: openai.key });
    lanes = { home: home.id, work: work.id, key };
    await admin.setRoute(MODEL, [home.id, work.id, key]);
    await admin.setRoute('key-only', [key]);
  });
  afterAll(() => gateway.stop());

  const ask = (content: string, more: object = {}, key?: string) =>
    gateway
      .client(key)
      .chat.completions.create({ model: MODEL, messages: [{ role: 'user', content }], ...more } as never)
      .withResponse() as unknown as Promise<{
      data: {
        choices: { message: { content: string; tool_calls?: unknown[] }; finish_reason: string }[];
        usage: { total_tokens: number };
      };
      response: Response;
    }>;

  it('answers on the first account, names the lane, and takes no money', async () => {
    const { data, response } = await ask('good morning');
    expect(data.choices[0]?.message.content).toBe('echo: good morning');
    expect(data.choices[0]?.finish_reason).toBe('stop');
    expect(data.usage.total_tokens).toBeGreaterThan(0);
    expect(response.headers.get('x-flatlane-lane')).toBe(lanes.home);
    expect(response.headers.get('x-flatlane-account')).toBe('home');
    expect(response.headers.get('x-flatlane-attempts')).toBe('1');
    expect(response.headers.get('x-flatlane-cost-usd')).toBe('0.000000');
    expect(Number(response.headers.get('x-flatlane-meter-usd'))).toBeGreaterThan(0);
    expect(response.headers.get('x-request-id')).toMatch(/^req_[0-9a-f]{32}$/);
  });

  it('sends the model nothing but what the caller sent', async () => {
    await ask('only this', {
      messages: [
        { role: 'system', content: 'be kind' },
        { role: 'user', content: 'only this' },
      ],
    });
    const seen = gateway.chatgpt.attempts().at(-1);
    expect(seen?.tools).toEqual([]);
    expect(JSON.stringify([seen?.instructions, seen?.input])).toContain('be kind');
    expect(JSON.stringify(seen?.input)).not.toMatch(/cwd|sandbox|environment_context|\/work|AGENTS/);
  });

  it('streams the deltas of an account, with usage when it is asked for', async () => {
    const stream = await gateway.client().chat.completions.create({
      model: MODEL,
      messages: [{ role: 'user', content: 'a longer text that comes in several deltas' }],
      stream: true,
      stream_options: { include_usage: true },
    });
    const texts: string[] = [];
    let usage: { total_tokens: number } | null | undefined;
    let finish: string | null | undefined;
    for await (const chunk of stream) {
      const delta = chunk.choices[0]?.delta.content;
      if (delta) texts.push(delta);
      finish = chunk.choices[0]?.finish_reason ?? finish;
      usage = chunk.usage ?? usage;
    }
    expect(texts.length).toBeGreaterThan(2);
    expect(texts.join('')).toBe('echo: a longer text that comes in several deltas');
    expect(finish).toBe('stop');
    expect(usage?.total_tokens).toBeGreaterThan(0);
  });

  it('hands a function call to the caller and takes its result back', async () => {
    const tools = [
      {
        type: 'function',
        function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
      },
    ];
    const first = await ask('[[tool:weather:{"city":"Rome"}]]', { tools });
    expect(first.data.choices[0]?.finish_reason).toBe('tool_calls');
    const [call] = (first.data.choices[0]?.message.tool_calls ?? []) as {
      id: string;
      function: { name: string; arguments: string };
    }[];
    expect(call?.function.name).toBe('weather');
    expect(JSON.parse(call?.function.arguments ?? '')).toEqual({ city: 'Rome' });
    const second = await ask('unused', {
      tools,
      messages: [
        { role: 'user', content: 'how is it in Rome?' },
        { role: 'assistant', content: null, tool_calls: [call] },
        { role: 'tool', tool_call_id: call?.id, content: 'sunny' },
      ],
    });
    expect(second.data.choices[0]?.finish_reason).toBe('stop');
    expect(JSON.stringify(gateway.chatgpt.attempts().at(-1)?.input)).toContain('sunny');
  });

  it('passes a schema on and gives back what fits it', async () => {
    const schema = {
      type: 'object',
      properties: { answer: { type: 'string' } },
      required: ['answer'],
      additionalProperties: false,
    };
    const { data } = await ask('[[json:{"answer":"42"}]]', {
      response_format: { type: 'json_schema', json_schema: { name: 'reply', schema, strict: true } },
    });
    expect(JSON.parse(data.choices[0]?.message.content ?? '')).toEqual({ answer: '42' });
    expect(JSON.stringify(gateway.chatgpt.attempts().at(-1)?.text)).toContain('json_schema');
  });

  it('lists parameters that have no effect on a plan lane', async () => {
    const { response } = await ask('warm', { temperature: 0.2, seed: 7 });
    expect(response.headers.get('x-flatlane-ignored-params')?.split(', ').sort()).toEqual(['seed', 'temperature']);
  });

  it('sends what a plan lane cannot do to the key lane of the route', async () => {
    const { response } = await ask('two of them', { n: 2 });
    expect(response.headers.get('x-flatlane-lane')).toBe(lanes.key);
    expect(Number(response.headers.get('x-flatlane-cost-usd'))).toBeGreaterThan(0);
  });

  it('does not harm a lane by a request that is refused', async () => {
    await expect(ask('[[context]] too long')).rejects.toMatchObject({ status: 400, code: 'context_length_exceeded' });
    const { response } = await ask('next one');
    expect(response.headers.get('x-flatlane-lane')).toBe(lanes.home);
  });

  it('gives a half stream an error event instead of an end', async () => {
    const stream = await gateway.client().chat.completions.create({
      model: 'key-only',
      messages: [{ role: 'user', content: '[[half]] a text that breaks off in the middle of it' }],
      stream: true,
    });
    const read = async (): Promise<void> => {
      for await (const chunk of stream) expect(chunk.object).toBe('chat.completion.chunk');
    };
    await expect(read()).rejects.toBeInstanceOf(APIError);
  });

  it('falls back from an account that runs out to the next one and then to the key', async () => {
    gateway.chatgpt.script('home', { exhaustAfter: 0 });
    const first = await ask('[[delay:0]] after home');
    expect(first.response.headers.get('x-flatlane-lane')).toBe(lanes.work);
    expect(first.response.headers.get('x-flatlane-attempts')).toBe('2');
    const calls = gateway.chatgpt.counts().byAccount['home']?.limit;
    const second = await ask('home is left alone now');
    expect(second.response.headers.get('x-flatlane-lane')).toBe(lanes.work);
    expect(gateway.chatgpt.counts().byAccount['home']?.limit).toBe(calls);

    gateway.chatgpt.script('work', { exhaustAfter: 0 });
    const third = await ask('after work');
    expect(third.response.headers.get('x-flatlane-lane')).toBe(lanes.key);
    expect(third.data.choices[0]?.message.content).toBe('echo: after work');

    const { data } = await gateway.admin.call<{
      data: { attempts: { laneId: string; outcome: string }[]; status: string }[];
    }>('GET', '/admin/logs?limit=1');
    expect(data[0]?.status).toBe('answered');
    expect(data[0]?.attempts.at(-1)).toMatchObject({ laneId: lanes.key, outcome: 'answered' });
  });

  it('says 429 with the reset when every lane is out', async () => {
    await gateway.admin.setRoute('plan-only', [lanes.home, lanes.work]);
    const refused = await gateway
      .client()
      .chat.completions.create({ model: 'plan-only', messages: [{ role: 'user', content: 'anyone?' }] })
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(RateLimitError);
    const { error, headers } = refused as APIError & { error: { type: string; resets_at: number } };
    expect(error.type).toBe('usage_limit_reached');
    expect(error.resets_at).toBeGreaterThan(Date.now() / 1000);
    expect(headers?.get('x-should-retry')).toBe('false');
    expect(Number(headers?.get('retry-after'))).toBeGreaterThan(0);
  });

  it('keeps sub-keys away from plan lanes until their owner allows it', async () => {
    const keyOnly = await gateway.admin.createKey('somebody’s app', false);
    await expect(ask('hello', { model: 'plan-only' }, keyOnly)).rejects.toBeInstanceOf(PermissionDeniedError);
    const { response } = await ask('hello', {}, keyOnly);
    expect(response.headers.get('x-flatlane-lane')).toBe(lanes.key);
  });

  it('refuses unknown keys, unknown models and bad bodies as OpenAI does', async () => {
    await expect(ask('hi', {}, 'sk-fl-unknown')).rejects.toBeInstanceOf(AuthenticationError);
    await expect(ask('hi', { model: '' })).rejects.toBeInstanceOf(BadRequestError);
    await expect(ask('hi', { messages: 'no list' })).rejects.toMatchObject({
      status: 400,
      param: 'messages',
      code: 'invalid_type',
    });
    await gateway.admin.call('DELETE', '/admin/routes/plan-only');
    await expect(gateway.client().models.retrieve('plan-only')).rejects.toBeInstanceOf(NotFoundError);
    expect((await gateway.client().models.list()).data.map(({ id }) => id)).toContain(MODEL);
  });

  it('tells the upstream to stop when the caller goes away', async () => {
    const gone = new AbortController();
    const waiting = gateway
      .client()
      .chat.completions.create(
        { model: 'key-only', messages: [{ role: 'user', content: '[[delay:20000]] never mind' }] },
        { signal: gone.signal },
      );
    const outcome = waiting.catch((error: unknown) => error);
    await expect.poll(() => gateway.openai.attempts().at(-1)?.lastUserText).toContain('never mind');
    gone.abort();
    expect(await outcome).toBeInstanceOf(Error);
    await expect.poll(() => gateway.openai.attempts().at(-1)?.outcome).toBe('aborted');
  });
});
