import { APIError, BadRequestError, NotFoundError, type OpenAI } from 'openai';
import type { Response as ApiResponse, ResponseInput, ResponseStreamEvent } from 'openai/resources/responses/responses';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startGateway, type Gateway } from '../support/gateway.ts';

const PLAN = 'gpt-5.5';
const KEY = 'metered-model';
const EMBEDDINGS = 'text-embedding-3-small';
const TOOLS = [
  {
    type: 'function' as const,
    name: 'weather',
    strict: false,
    parameters: { type: 'object', properties: { city: { type: 'string' } } },
  },
];
const SCHEMA = {
  type: 'object',
  properties: { answer: { type: 'string' } },
  required: ['answer'],
  additionalProperties: false,
};

let gateway: Gateway;
let client: OpenAI;
let lanes: { home: string; key: string };

beforeAll(async () => {
  gateway = await startGateway({ home: {} });
  const { admin, chatgpt, openai } = gateway;
  const home = await admin.addAccount('home', (code) => chatgpt.approve(code, 'home'));
  const key = await admin.addKeyLane({ alias: 'meter', baseUrl: openai.url, apiKey: openai.key });
  lanes = { home: home.id, key };
  await admin.setRoute(PLAN, [home.id]);
  await admin.setRoute(KEY, [key]);
  await admin.setRoute(EMBEDDINGS, [home.id, key]);
  client = gateway.client();
});
afterAll(() => gateway.stop());
beforeEach(() => gateway.openai.script({ missing: undefined, models: undefined }));

const textOf = ({ output }: ApiResponse): string =>
  output
    .flatMap((item) => (item.type === 'message' ? item.content : []))
    .map((part) => (part.type === 'output_text' ? part.text : ''))
    .join('');

/** What the upstream of a model saw of the last request, as text. */
const lastInput = (model: string): string =>
  JSON.stringify((model === PLAN ? gateway.chatgpt : gateway.openai).attempts().at(-1)?.input);

describe.each([
  ['a plan lane', PLAN],
  ['a key lane', KEY],
])('responses on %s', (_, model) => {
  it('answer a text, with usage, and name the lane', async () => {
    const { data, response } = await client.responses
      .create({ model, input: 'good morning', instructions: 'be kind', store: true, metadata: { a: 'b' } })
      .withResponse();
    expect(data).toMatchObject({ object: 'response', status: 'completed', error: null });
    expect(data.id).toMatch(/^resp_/);
    expect(data.output_text).toBe('echo: good morning');
    expect(data.usage?.input_tokens).toBeGreaterThan(0);
    expect(data.usage?.total_tokens).toBe((data.usage?.input_tokens ?? 0) + (data.usage?.output_tokens ?? 0));
    expect(response.headers.get('x-flatlane-lane')).toBe(model === PLAN ? lanes.home : lanes.key);
    const seen = (model === PLAN ? gateway.chatgpt : gateway.openai).attempts().at(-1);
    expect(JSON.stringify([seen?.instructions, seen?.input])).toContain('be kind');
  });

  it('stream the events that the official client accumulates', async () => {
    const stream = client.responses.stream({ model, input: 'a longer text that comes in several deltas' });
    const seen: ResponseStreamEvent[] = [];
    stream.on('event', (event) => void seen.push(event));
    const answer = await stream.finalResponse();
    expect(textOf(answer)).toBe('echo: a longer text that comes in several deltas');
    expect(answer.status).toBe('completed');
    expect(answer.usage?.output_tokens).toBeGreaterThan(0);
    const deltas = seen.filter((event) => event.type === 'response.output_text.delta');
    expect(deltas.length).toBeGreaterThan(2);
    expect(seen[0]?.type).toBe('response.created');
    expect(seen.at(-1)?.type).toBe('response.completed');
    expect(seen.map((event) => event.sequence_number)).toEqual(seen.map((_event, index) => index));
  });

  it('have the name of each event on a line of its own, and no [DONE]', async () => {
    const response = await client.responses.create({ model, input: 'hello', stream: true }).asResponse();
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const events = (await response.text()).split('\n\n').filter((event) => event !== '' && !event.startsWith(':'));
    expect(events.length).toBeGreaterThan(5);
    for (const event of events) {
      const [, name, data] = /^event: (\S+)\ndata: (.*)$/s.exec(event) ?? [];
      expect((JSON.parse(data ?? '{}') as { type?: string }).type).toBe(name);
    }
  });

  it('hand a function call to the caller and take its result back', async () => {
    const input: ResponseInput = [{ role: 'user', content: '[[tool:weather:{"city":"Rome"}]]' }];
    const first = await client.responses.create({ model, input, tools: TOOLS });
    const [call] = first.output;
    expect(call).toMatchObject({ type: 'function_call', name: 'weather', arguments: '{"city":"Rome"}' });
    if (call?.type !== 'function_call') throw new Error('no call');
    const output = { type: 'function_call_output' as const, call_id: call.call_id, output: 'sunny' };
    const second = await client.responses.create({ model, input: [...input, ...first.output, output], tools: TOOLS });
    expect(second.output_text).toBe('tool: sunny');
    expect(lastInput(model)).toContain(call.call_id);
  });

  it('stream a function call', async () => {
    const input = '[[tool:weather:{"city":"Rome"}]]';
    const stream = client.responses.stream({ model, input, tools: TOOLS });
    const names: string[] = [];
    stream.on('event', ({ type }) => void names.push(type));
    const { output } = await stream.finalResponse();
    expect(output).toMatchObject([{ type: 'function_call', arguments: '{"city":"Rome"}', status: 'completed' }]);
    expect(names).toContain('response.function_call_arguments.delta');
    expect(names).toContain('response.function_call_arguments.done');
  });

  it('keep to a schema', async () => {
    const format = { type: 'json_schema' as const, name: 'reply', schema: SCHEMA, strict: true };
    const answer = await client.responses.create({ model, input: '[[json:{"answer":"42"}]]', text: { format } });
    expect(JSON.parse(answer.output_text)).toEqual({ answer: '42' });
    const seen = (model === PLAN ? gateway.chatgpt : gateway.openai).attempts().at(-1);
    expect(JSON.stringify(seen?.text)).toContain('json_schema');
  });

  it.each(['previous_response_id', 'conversation'])('refuse %s and say to send the history', async (param) => {
    const refused: unknown = await client.responses
      .create({ model, input: 'hi', [param]: 'resp_1' })
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(BadRequestError);
    expect(refused).toMatchObject({ code: 'unsupported_parameter', param });
    expect((refused as APIError).message).toMatch(/history/);
  });
});

describe('responses', () => {
  it('list what has no effect on a plan lane', async () => {
    const { data, response } = await client.responses
      .create({ model: PLAN, input: 'warm', temperature: 0.2, max_output_tokens: 50, reasoning: { effort: 'low' } })
      .withResponse();
    expect(response.headers.get('x-flatlane-ignored-params')).toBe('max_output_tokens, temperature');
    expect(data).toMatchObject({ max_output_tokens: 50, reasoning: { effort: 'low' }, store: false });
  });

  it('keep nothing at the provider, and leave its ids out of the history', async () => {
    const bodies = (await client.responses.create({ model: KEY, input: 'first' })).output;
    await client.responses.create({ model: KEY, input: [...bodies, { role: 'user', content: 'second' }] });
    expect(lastInput(KEY)).not.toMatch(/"id":"msg_/);
    expect(lastInput(KEY)).toContain('echo: first');
  });

  it('end a broken stream with an error event', async () => {
    const stream = await client.responses.create({
      model: KEY,
      input: '[[half]] a text that breaks off',
      stream: true,
    });
    const types: string[] = [];
    const read = async (): Promise<void> => {
      for await (const event of stream) types.push(event.type);
    };
    await expect(read()).rejects.toBeInstanceOf(APIError);
    expect(types).toContain('response.output_text.delta');
    expect(types).not.toContain('response.completed');
  });

  it('go to the next lane when a provider does not have the endpoint', async () => {
    await gateway.admin.setRoute(PLAN, [lanes.key, lanes.home]);
    gateway.openai.script({ missing: ['/v1/responses'] });
    const { data, response } = await client.responses.create({ model: PLAN, input: 'anyone?' }).withResponse();
    expect(data.output_text).toBe('echo: anyone?');
    expect(response.headers.get('x-flatlane-lane')).toBe(lanes.home);
    expect(response.headers.get('x-flatlane-attempts')).toBe('2');
    await gateway.admin.setRoute(PLAN, [lanes.home]);
    await expect(client.responses.create({ model: KEY, input: 'anyone?' })).rejects.toMatchObject({
      status: 400,
      code: 'unsupported_parameter',
    });
  });

  it('do not know a model that no lane knows', async () => {
    gateway.openai.script({ models: ['another'] });
    await expect(client.responses.create({ model: 'nobody', input: 'hi' })).rejects.toBeInstanceOf(NotFoundError);
  });
});

describe('embeddings', () => {
  it('come from the key lane of a route, as the official client asks for them, and are in the log with their cost', async () => {
    const input = ['one', 'two', 'one'];
    const { data, response } = await client.embeddings
      .create({ model: EMBEDDINGS, input, dimensions: 16 })
      .withResponse();
    const [one, two, again] = data.data.map(({ embedding }) => embedding);
    expect(one).toHaveLength(16);
    expect(again).toEqual(one);
    expect(two).not.toEqual(one);
    expect(response.headers.get('x-flatlane-lane')).toBe(lanes.key);
    const lastEntry = async (): Promise<unknown> =>
      (await gateway.admin.call<{ data: unknown[] }>('GET', '/admin/logs?limit=1')).data[0];
    await expect
      .poll(lastEntry)
      .toMatchObject({ model: EMBEDDINGS, laneId: lanes.key, usage: { promptTokens: 3, completionTokens: 0 } });
  });

  it('are refused where only a plan lane is, and the answer says so', async () => {
    const refused: unknown = await client.embeddings.create({ model: PLAN, input: 'one' }).catch((e: unknown) => e);
    expect(refused).toBeInstanceOf(BadRequestError);
    expect(refused).toMatchObject({ code: 'unsupported_parameter', param: 'model' });
    expect((refused as APIError).message).toMatch(/plan lanes.*embeddings/);
  });

  it('need an input', async () => {
    await expect(client.embeddings.create({ model: EMBEDDINGS } as never)).rejects.toMatchObject({
      status: 400,
      code: 'missing_required_parameter',
      param: 'input',
    });
  });
});
