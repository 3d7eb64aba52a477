import OpenAI, { APIConnectionError, AuthenticationError, NotFoundError, RateLimitError } from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type OpenaiApi, startOpenaiApi } from './api.ts';

describe('the stand-in OpenAI API, under the official client', () => {
  let api: OpenaiApi;
  let client: OpenAI;

  beforeAll(async () => {
    api = await startOpenaiApi();
    client = new OpenAI({ apiKey: api.key, baseURL: api.url, maxRetries: 0 });
  });
  afterAll(() => api.close());
  beforeEach(() => {
    api.reset();
    api.script({ failNext: [], quota: undefined, models: undefined, missing: undefined });
  });

  const ask = (content: string, more: Partial<OpenAI.ChatCompletionCreateParamsNonStreaming> = {}) =>
    client.chat.completions.create({ model: 'gpt-5.5', messages: [{ role: 'user', content }], ...more });
  const askStream = (content: string) =>
    client.chat.completions.create({
      model: 'gpt-5.5',
      messages: [{ role: 'user', content }],
      stream: true,
      stream_options: { include_usage: true },
    });

  it('answers whole', async () => {
    const { data: first, request_id: requestId } = await ask('hello id=line-1').withResponse();
    const second = await ask('hello');
    expect(first).toMatchObject({
      object: 'chat.completion',
      choices: [{ message: { role: 'assistant', content: 'echo: hello id=line-1' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 4, completion_tokens: 6, total_tokens: 10 },
    });
    expect(requestId).toMatch(/^req_/);
    expect(second.id).not.toBe(first.id);
    expect(api.counts()).toMatchObject({ calls: 2, byMarker: { 'line-1': { calls: 1, answered: 1 } } });
  });

  it('streams deltas, then the usage', async () => {
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of await askStream('hello')) chunks.push(chunk);
    const contents = chunks.flatMap(({ choices }) => choices.map(({ delta }) => delta.content ?? ''));
    expect(contents.filter((content) => content !== '').length).toBeGreaterThan(1);
    expect(contents.join('')).toBe('echo: hello');
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop');
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 2, completion_tokens: 3 } });
    expect(chunks.at(0)?.usage).toBeNull();
  });

  it('calls functions in parallel, whole and streamed', async () => {
    const words = '[[tool:a:{"x":1}]] [[tool:b:{"y":[[2]]}]]';
    const expected = [
      { name: 'a', arguments: '{"x":1}' },
      { name: 'b', arguments: '{"y":[[2]]}' },
    ];
    const calls = (await ask(words)).choices[0]?.message.tool_calls ?? [];
    expect(calls.map((call) => (call.type === 'function' ? call.function : undefined))).toEqual(expected);
    const runner = client.chat.completions.stream({ model: 'gpt-5.5', messages: [{ role: 'user', content: words }] });
    const { choices } = await runner.finalChatCompletion();
    expect(choices[0]?.finish_reason).toBe('tool_calls');
    expect(choices[0]?.message.tool_calls).toMatchObject(expected.map((one) => ({ function: one })));
  });

  it('refuses a key that it does not know', async () => {
    const stranger = new OpenAI({ apiKey: 'sk-other', baseURL: api.url, maxRetries: 0 });
    const refused = stranger.models.list().then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(await refused).toBeInstanceOf(AuthenticationError);
    expect(await refused).toMatchObject({ status: 401, code: 'invalid_api_key' });
  });

  it('spends its quota', async () => {
    api.script({ quota: 1 });
    await ask('one');
    await expect(ask('two')).rejects.toMatchObject({ status: 429, code: 'insufficient_quota' });
    expect(api.counts().byOutcome).toMatchObject({ answered: 1, limit: 1 });
  });

  it('says how long a burst limit lasts', async () => {
    const error: unknown = await ask('[[status:429]] [[retry-after:2]]').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RateLimitError);
    expect((error as RateLimitError).headers?.get('retry-after')).toBe('2');
    expect((error as RateLimitError).headers?.get('retry-after-ms')).toBe('2000');
  });

  it.each([
    ['status:500', { status: 500, type: 'server_error' }],
    ['status:418', { status: 418 }],
    ['context', { status: 400, code: 'context_length_exceeded', param: 'messages' }],
    ['policy', { status: 400, code: 'content_policy_violation' }],
  ])('fails with %s by word and by script', async (word, expected) => {
    await expect(ask(`[[${word}]]`)).rejects.toMatchObject(expected);
    api.script({ failNext: [word] });
    await expect(ask('hello')).rejects.toMatchObject(expected);
    await expect(ask('hello')).resolves.toBeDefined();
  });

  it('cuts an answer off, whole and streamed', async () => {
    await expect(ask('[[half]] hello')).rejects.toThrow();
    const received: string[] = [];
    const read = async (): Promise<void> => {
      for await (const chunk of await askStream('[[half]] hello')) received.push(chunk.choices[0]?.delta.content ?? '');
    };
    await expect(read()).rejects.toThrow();
    expect('echo: [[half]] hello').toContain(received.join(''));
    expect(received.join('').length).toBeGreaterThan(0);
    expect(api.counts().byOutcome).toEqual({ open: 0, cut: 2 });
  });

  it.each([
    ['html', 'text/html', /^<!doctype html>/],
    ['broken', 'application/json', /^\{"id":"[^}]*$/],
    ['error200', 'application/json', /^\{"error":\{/],
  ])('answers 200 with %s, which is no answer', async (word, contentType, body) => {
    const response = await ask(`[[${word}]]`).asResponse();
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe(contentType);
    expect(await response.text()).toMatch(body);
  });

  it('writes without an end until the caller goes away', async () => {
    const response = await ask('[[endless]]').asResponse();
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    let bytes = 0;
    while (bytes < 1_000_000) bytes += (await reader.read()).value?.length ?? 0;
    await reader.cancel();
    await expect.poll(() => api.counts().byOutcome).toEqual({ open: 0, spoiled: 1 });
  });

  it('notices that the caller of a hanging call has gone', async () => {
    const gone = new AbortController();
    const asked = client.chat.completions.create(
      { model: 'gpt-5.5', messages: [{ role: 'user', content: '[[hang]]' }] },
      { signal: gone.signal },
    );
    const failed = expect(asked).rejects.toThrow('aborted');
    await expect.poll(() => api.counts().byOutcome.open).toBe(1);
    gone.abort();
    await failed;
    await expect.poll(() => api.counts().byOutcome).toEqual({ open: 0, aborted: 1 });
  });

  it('keeps to a schema, and gives as many choices as asked for', async () => {
    const schema = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] };
    const answer = await ask('hi', {
      n: 2,
      response_format: { type: 'json_schema', json_schema: { name: 'a', schema } },
    });
    expect(answer.choices.map(({ message }) => message.content)).toEqual(['{"a":"echo: hi"}', '{"a":"echo: hi"}']);
  });

  it('lists models, and knows only the scripted ones', async () => {
    api.script({ models: ['only-one'] });
    const ids: string[] = [];
    for await (const { id } of client.models.list()) ids.push(id);
    expect(ids).toEqual(['only-one']);
    expect(await client.models.retrieve('only-one')).toMatchObject({ id: 'only-one' });
    await expect(ask('hello')).rejects.toBeInstanceOf(NotFoundError);
  });

  it('answers on the Responses API, whole and streamed', async () => {
    const input = [{ role: 'user' as const, content: 'hello' }];
    const whole = await client.responses.create({ model: 'gpt-5.5', input });
    expect(whole).toMatchObject({ object: 'response', status: 'completed', output_text: 'echo: hello' });
    expect(whole.usage).toMatchObject({ input_tokens: 2, output_tokens: 3, total_tokens: 5 });
    const stream = client.responses.stream({ model: 'gpt-5.5', input: 'hello' });
    const texts: string[] = [];
    stream.on('response.output_text.delta', ({ delta }) => texts.push(delta));
    const [message] = (await stream.finalResponse()).output;
    expect(message).toMatchObject({ type: 'message', content: [{ text: 'echo: hello' }] });
    expect(texts.length).toBeGreaterThan(1);
    expect(texts.join('')).toBe('echo: hello');
    const { output } = await client.responses.stream({ model: 'gpt-5.5', input: '[[tool:a:{"x":1}]]' }).finalResponse();
    expect(output).toMatchObject([{ type: 'function_call', name: 'a', arguments: '{"x":1}' }]);
  });

  it('lacks the paths that the script takes away', async () => {
    api.script({ missing: ['/v1/responses'] });
    await expect(client.responses.create({ model: 'gpt-5.5', input: 'hi' })).rejects.toBeInstanceOf(NotFoundError);
    await expect(ask('hello')).resolves.toBeDefined();
  });

  it('embeds texts, the same for the same text', async () => {
    const model = 'text-embedding-3-small';
    const answer = await client.embeddings.create({ model, input: ['one', 'two', 'one'], dimensions: 16 });
    const [one, two, again] = answer.data.map(({ embedding }) => embedding);
    expect(one).toHaveLength(16);
    expect(again).toEqual(one);
    expect(two).not.toEqual(one);
    const floats = await client.embeddings.create({ model, input: 'one', dimensions: 16, encoding_format: 'float' });
    expect(floats.data[0]?.embedding).toEqual(one);
  });

  it('refuses connections when it is closed', async () => {
    const other = await startOpenaiApi();
    const orphan = new OpenAI({ apiKey: other.key, baseURL: other.url, maxRetries: 0 });
    await orphan.models.list();
    await other.close();
    await expect(orphan.models.list()).rejects.toBeInstanceOf(APIConnectionError);
  });
});
