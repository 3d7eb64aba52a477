import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, type Gateway } from '../support/gateway.ts';
import { createWire, type WireAnswer, type WireCall } from '../support/wire-call.ts';
import { chatCall as chat } from '../support/wire-refusals.ts';

/** Chat completions to the letter, on the plan lane, on the durable path and on the direct one. */
const PLAN = 'gpt-5.5';
const DURABLE = 'durable';
const DIRECT = 'direct';
const MODELS = [PLAN, DURABLE, DIRECT];

let gateway: Gateway;
let call: (call: WireCall) => Promise<WireAnswer>;
let laneOf: Readonly<Record<string, string>>;

beforeAll(async () => {
  gateway = await startGateway({ home: {} });
  const { admin, chatgpt, openai, url, adminKey } = gateway;
  const home = await admin.addAccount('home', (code) => chatgpt.approve(code, 'home'));
  await admin.setRoute(PLAN, [home.id]);
  const meter = await admin.addKeyLane({ alias: 'meter', baseUrl: openai.url, apiKey: openai.key, models: ['any'] });
  for (const [model, direct] of [
    [DURABLE, false],
    [DIRECT, true],
  ] as const) {
    await admin.call('PUT', `/admin/routes/${model}`, { lanes: [{ laneId: meter, model: 'gpt-5.4-mini' }], direct });
  }
  laneOf = { [PLAN]: home.id, [DURABLE]: meter, [DIRECT]: meter };
  call = createWire(url, adminKey);
});
afterAll(() => gateway.stop());

interface Chunk {
  readonly id: string;
  readonly object: string;
  readonly created: number;
  readonly model: string;
  readonly choices: readonly {
    readonly index: number;
    readonly delta: Readonly<Record<string, unknown>> & { readonly content?: string | null };
    readonly finish_reason: string | null;
  }[];
  readonly usage?: unknown;
}

/** The chunks of a whole stream: `data:` and an empty line each, and `[DONE]` as the last. */
function chunksOf({ status, headers, text }: WireAnswer): Chunk[] {
  expect(status, text).toBe(200);
  expect(headers.get('content-type')).toMatch(/^text\/event-stream/);
  expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
  const events = text.slice(0, -2).split('\n\n');
  expect(events.filter((event) => !/^data: \S/.test(event))).toEqual([]);
  return events.slice(0, -1).map((event) => JSON.parse(event.slice('data: '.length)) as Chunk);
}

/** What every answer says of itself. */
function expectHeaders({ headers }: WireAnswer, model: string): void {
  expect(headers.get('x-request-id')).toMatch(/^req_[0-9a-f]{32}$/);
  expect(headers.get('openai-processing-ms')).toMatch(/^\d+$/);
  expect(headers.get('x-flatlane-lane')).toBe(laneOf[model]);
  expect(headers.get('x-flatlane-account')).toBe(model === PLAN ? 'home' : 'meter');
  expect(headers.get('x-flatlane-attempts')).toBe('1');
  expect([...headers.keys()].filter((name) => name.startsWith('x-ratelimit'))).toEqual([]);
}

const FULL_USAGE = {
  prompt_tokens: expect.any(Number) as number,
  completion_tokens: expect.any(Number) as number,
  total_tokens: expect.any(Number) as number,
  prompt_tokens_details: expect.objectContaining({ cached_tokens: 3 }) as object,
  completion_tokens_details: expect.objectContaining({ reasoning_tokens: expect.any(Number) as number }) as object,
};
const WEATHER = {
  type: 'function',
  function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
};
const CALL_WEATHER = '[[tool:weather:{"city":"Ulm"}]] How is it there?';

describe.each(MODELS)('a chat completion of %s', (model) => {
  it('has every field, its usage, and what it cost', async () => {
    const answer = await call(chat(model, '[[say:good morning]] [[cached:3]] hello'));
    expect(answer.status, answer.text).toBe(200);
    expectHeaders(answer, model);
    expect(answer.json).toMatchObject({
      id: expect.stringMatching(/\S/) as string,
      object: 'chat.completion',
      created: expect.any(Number) as number,
      model: expect.stringMatching(/\S/) as string,
      choices: [{ index: 0, message: { role: 'assistant', content: 'good morning' }, finish_reason: 'stop' }],
      usage: FULL_USAGE,
    });
    const { prompt_tokens, completion_tokens, total_tokens } = (
      answer.json as { readonly usage: Readonly<Record<string, number>> }
    ).usage;
    expect(total_tokens).toBe((prompt_tokens ?? 0) + (completion_tokens ?? 0));
    const paid = answer.headers.get('x-flatlane-cost-usd');
    const meter = answer.headers.get('x-flatlane-meter-usd');
    expect(meter).toMatch(/^\d+\.\d{6}$/);
    expect(paid).toBe(model === PLAN ? '0.000000' : meter);
    expect(answer.headers.get('x-flatlane-ignored-params')).toBeNull();
  });

  it('streams one answer in order, with one end, and its usage where it is asked for', async () => {
    const asked = { stream: true, stream_options: { include_usage: true } };
    const answer = await call(chat(model, '[[say:good morning]] [[cached:3]] hello', asked));
    expectHeaders(answer, model);
    const chunks = chunksOf(answer);
    for (const key of ['id', 'created', 'model', 'object'] as const) {
      expect(new Set(chunks.map((chunk) => chunk[key])).size, key).toBe(1);
    }
    expect(chunks[0]?.object).toBe('chat.completion.chunk');
    expect(chunks[0]?.choices).toMatchObject([
      { index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null },
    ]);
    const choices = chunks.flatMap((chunk) => chunk.choices);
    expect(choices.reduce((text, { delta }) => text + (delta.content ?? ''), '')).toBe('good morning');
    expect(choices.flatMap(({ finish_reason }) => finish_reason ?? [])).toEqual(['stop']);
    expect(choices.at(-1)?.finish_reason).toBe('stop');
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: FULL_USAGE });
    expect(chunks.slice(0, -1).map(({ usage }) => usage)).toEqual(chunks.slice(1).map(() => null));

    const plain = chunksOf(await call(chat(model, 'hello', { stream: true })));
    expect(plain.every((chunk) => !('usage' in chunk) && chunk.choices.length === 1)).toBe(true);
  });

  it('hands a function call over, whole and in pieces', async () => {
    const whole = await call(chat(model, CALL_WEATHER, { tools: [WEATHER] }));
    expect(whole.json).toMatchObject({
      choices: [
        {
          message: {
            content: null,
            tool_calls: [
              {
                id: expect.stringMatching(/\S/) as string,
                type: 'function',
                function: { name: 'weather', arguments: expect.any(String) as string },
              },
            ],
          },
          finish_reason: 'tool_calls',
        },
      ],
    });
    const chunks = chunksOf(await call(chat(model, CALL_WEATHER, { tools: [WEATHER], stream: true })));
    const choices = chunks.flatMap((chunk) => chunk.choices);
    const pieces = choices.flatMap(
      ({ delta }) => (delta['tool_calls'] ?? []) as { function: { arguments: string; name?: string }; id?: string }[],
    );
    expect(pieces[0]).toEqual({
      index: 0,
      id: expect.stringMatching(/\S/) as string,
      type: 'function',
      function: { name: 'weather', arguments: '' },
    });
    for (const piece of pieces.slice(1)) {
      expect(piece).toEqual({ index: 0, function: { arguments: expect.any(String) as string } });
    }
    expect(JSON.parse(pieces.map((piece) => piece.function.arguments).join(''))).toEqual({ city: 'Ulm' });
    expect(choices.flatMap(({ finish_reason }) => finish_reason ?? [])).toEqual(['tool_calls']);
  });

  it('takes every role, content in parts, formats and the fields that say nothing of the answer', async () => {
    const messages = [
      { role: 'system', content: 'Be kind.' },
      { role: 'developer', content: [{ type: 'text', text: 'Be short.' }] },
      { role: 'user', content: 'How is it in Ulm?' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Ulm"}' } }],
      },
      { role: 'tool', tool_call_id: 'call_1', content: 'fair' },
      {
        role: 'user',
        content: [
          { type: 'text', text: '[[json:{"fair":true}]] Say it as JSON.' },
          {
            type: 'image_url',
            image_url: {
              url: 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAC0lEQVR4nGNgQAYAAA4AAamRc7EAAAAASUVORK5CYII=',
            },
          },
        ],
      },
    ];
    const schema = {
      type: 'object',
      properties: { fair: { type: 'boolean' } },
      required: ['fair'],
      additionalProperties: false,
    };
    for (const response_format of [
      { type: 'text' },
      { type: 'json_object' },
      { type: 'json_schema', json_schema: { name: 'weather', strict: true, schema } },
    ]) {
      const answer = await call(
        chat(model, '', {
          messages,
          response_format,
          tools: [WEATHER],
          tool_choice: 'auto',
          parallel_tool_calls: false,
          max_completion_tokens: 100,
          reasoning_effort: 'low',
          metadata: { a: 'b' },
          user: 'somebody',
          store: false,
        }),
      );
      expect(answer.status, answer.text).toBe(200);
      expect(answer.json).toMatchObject({ choices: [{ message: { content: '{"fair":true}' } }] });
      expect(answer.headers.get('x-flatlane-ignored-params')).toBe(model === PLAN ? 'max_completion_tokens' : null);
    }
  });
});

it('lists what a plan lane leaves out', async () => {
  const left = {
    temperature: 1,
    top_p: 1,
    max_tokens: 5,
    presence_penalty: 1,
    frequency_penalty: 1,
    seed: 1,
    stop: 'x',
  };
  const answer = await call(chat(PLAN, 'hello', left));
  expect(answer.status).toBe(200);
  expect(answer.headers.get('x-flatlane-ignored-params')).toBe(Object.keys(left).toSorted().join(', '));
});

it('lists models, and finds each by its name', async () => {
  const { json } = await call({ path: '/v1/models' });
  const { object, data } = json as { readonly object: string; readonly data: readonly { readonly id: string }[] };
  expect(object).toBe('list');
  expect(data.map(({ id }) => id)).toEqual(expect.arrayContaining(MODELS));
  for (const model of data) {
    expect(model).toEqual({
      id: model.id,
      object: 'model',
      created: expect.any(Number) as number,
      owned_by: 'flatlane',
    });
    expect((await call({ path: `/v1/models/${model.id}` })).json).toEqual(model);
  }
});
