import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { answerOf, collector, says, signIn, startAccount, textOf, type SignedInAccount } from './signed-in-account.ts';

let under: SignedInAccount;

beforeAll(async () => {
  under = await startAccount();
  await under.account.start();
  await signIn(under);
});
afterAll(() => under.close());
beforeEach(() => under.backend.reset());

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'w',
    parameters: { type: 'object', properties: { city: { type: 'string' } } },
  },
};

/** Items as the backend got them, without the CLI's own bookkeeping: ids, times and turns. */
function inputSeen(): unknown[] {
  const [attempt] = under.backend.attempts();
  return ((attempt?.input ?? []) as Record<string, unknown>[]).map(
    ({ id: _id, internal_chat_message_metadata_passthrough: _bookkeeping, ...item }) => item,
  );
}

describe('a completion on a plan lane', () => {
  it('answers with content, usage and a finish reason', async () => {
    const outcome = await under.complete(says('hello'));
    expect(answerOf(outcome)).toMatchObject({
      object: 'chat.completion',
      model: 'gpt-5.5',
      choices: [{ index: 0, message: { role: 'assistant', content: 'echo: hello' }, finish_reason: 'stop' }],
    });
    if (!outcome.ok || outcome.usage === null) throw new Error('usage is expected');
    expect(outcome.usage.promptTokens).toBeGreaterThan(0);
    expect(answerOf(outcome).usage?.total_tokens).toBe(outcome.usage.promptTokens + outcome.usage.completionTokens);
  });

  it('counts cached and reasoning tokens', async () => {
    const outcome = await under.complete(says('hello hello hello hello [[cached:3]] [[reasoning:9]]'));
    expect(outcome).toMatchObject({ ok: true, usage: { cachedPromptTokens: 3, reasoningTokens: 9 } });
  });

  it.each(['gpt-5.5', 'gpt-6-astra'])('puts the history on the wire of %s, and nothing else', async (model) => {
    const messages = [
      { role: 'system', content: 'be brief' },
      { role: 'user', content: 'first $skill @/etc/passwd' },
      { role: 'assistant', content: 'well' },
      { role: 'developer', content: 'now in French' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'see' },
          { type: 'image_url', image_url: { url: `data:image/png;base64,${PNG}` } },
        ],
      },
    ];
    expect(textOf(await under.complete({ messages }, { model }))).toBe('echo: see');
    expect(inputSeen()).toEqual([
      { type: 'message', role: 'developer', content: [{ type: 'input_text', text: 'be brief' }] },
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'first $skill @/etc/passwd' }] },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'well' }] },
      { type: 'message', role: 'developer', content: [{ type: 'input_text', text: 'now in French' }] },
      {
        type: 'message',
        role: 'user',
        content: [
          { type: 'input_text', text: 'see' },
          expect.objectContaining({ type: 'input_image', image_url: `data:image/png;base64,${PNG}` }) as unknown,
        ],
      },
    ]);
    const [attempt] = under.backend.attempts();
    expect(attempt?.instructions).toBe('');
    expect(attempt?.tools ?? []).toEqual([]);
    expect(under.backend.attempts()).toHaveLength(1);
  });

  it('hands a long prompt and a long tool result on whole', async () => {
    const long = 'word '.repeat(300_000);
    const result = 'line '.repeat(40_000);
    const messages = [
      { role: 'user', content: long },
      { role: 'assistant', tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } }] },
      { role: 'tool', tool_call_id: 'c1', content: result },
      { role: 'user', content: 'so' },
    ];
    expect(textOf(await under.complete({ messages }))).toBe('echo: so');
    expect(under.backend.attempts()).toHaveLength(1);
    expect(JSON.stringify(inputSeen())).toContain(long);
    expect(JSON.stringify(inputSeen())).toContain(result);
  });

  it('streams deltas in order, and waits for the caller to take each', async () => {
    const { chunks, call } = collector();
    let open = 0;
    const outcome = await under.complete(
      { ...says('[[ticks:5:2]]'), stream_options: { include_usage: true } },
      {
        ...call,
        onChunk: async (json) => {
          expect((open += 1)).toBe(1);
          await new Promise((resolve) => setTimeout(resolve, 5));
          open -= 1;
          await call.onChunk(json);
        },
      },
    );
    expect(chunks[0]?.choices[0]?.delta).toEqual({ role: 'assistant', content: '' });
    expect(chunks.length).toBeGreaterThan(5);
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe(textOf(outcome));
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop');
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: answerOf(outcome).usage });
  });

  it.each(['gpt-5.5', 'gpt-6-astra'])(
    'hands parallel tool calls of %s to the caller and takes their results',
    async (model) => {
      const asked = 'weather? [[tool:get_weather:{"city": "Rome"}]] [[tool:get_weather:{"city":"Oslo"}]]';
      const first = await under.complete({ ...says(asked), tools: [weather] }, { model });
      const { message, finish_reason } = answerOf(first).choices[0] ?? {};
      expect(finish_reason).toBe('tool_calls');
      expect(message?.tool_calls?.map((call) => call.function)).toEqual([
        { name: 'get_weather', arguments: '{"city": "Rome"}' },
        { name: 'get_weather', arguments: '{"city":"Oslo"}' },
      ]);
      // The CLI has not asked the model again behind the caller's back.
      expect(under.backend.attempts()).toHaveLength(1);
      const calls = message?.tool_calls ?? [];
      const second = await under.complete(
        {
          tools: [weather],
          messages: [
            { role: 'user', content: asked },
            { role: 'assistant', content: message?.content ?? null, tool_calls: calls },
            ...calls.map((call, index) => ({ role: 'tool', tool_call_id: call.id, content: `result ${index}` })),
          ],
        },
        { model },
      );
      expect(textOf(second)).toContain('result 1');
      expect(under.backend.attempts()).toHaveLength(2);
    },
  );

  it.each(['gpt-5.5', 'gpt-6-astra'])('offers functions to %s whatever they are called', async (model) => {
    const names = ['shell', 'apply_patch', 'web_search', 'view_image', 'update_plan', 'read_file', 'functions'];
    const tools = names.map((name) => ({ type: 'function', function: { name, parameters: { type: 'object' } } }));
    await under.complete({ ...says('x'), tools }, { model });
    const [attempt] = under.backend.attempts();
    const wire = JSON.stringify([attempt?.tools, attempt?.input]);
    for (const name of names) expect(wire).toContain(`"name":"${name}"`);
  });

  it('streams tool calls', async () => {
    const { chunks, call } = collector();
    await under.complete({ ...says('[[tool:get_weather:{"city":"Rome"}]]'), tools: [weather] }, call);
    const deltas = chunks.flatMap((chunk) => chunk.choices[0]?.delta.tool_calls ?? []);
    expect(deltas).toEqual([
      {
        index: 0,
        id: expect.any(String) as string,
        type: 'function',
        function: { name: 'get_weather', arguments: '' },
      },
      { index: 0, function: { arguments: '{"city":"Rome"}' } },
    ]);
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('tool_calls');
  });

  it('takes a call of a function that was not offered as broken, and asks nothing more', async () => {
    const outcome = await under.complete(says('[[tool:exec_command:{"cmd":"id"}]]'));
    expect(outcome).toMatchObject({ ok: false, failure: { class: 'broken', reachedUpstream: true } });
  });

  it('holds the model to a JSON schema', async () => {
    const schema = {
      type: 'object',
      properties: { a: { type: 'string' } },
      required: ['a'],
      additionalProperties: false,
    };
    const response_format = { type: 'json_schema', json_schema: { name: 's', strict: true, schema } };
    const outcome = await under.complete({ ...says('go'), response_format });
    expect(JSON.parse(textOf(outcome) ?? '')).toEqual({ a: expect.any(String) as string });
    expect(under.backend.attempts()[0]?.text).toMatchObject({ format: { type: 'json_schema', strict: true, schema } });
  });

  it('lists parameters without effect, and passes effort and verbosity on', async () => {
    const outcome = await under.complete({
      ...says('x'),
      temperature: 0,
      max_tokens: 5,
      reasoning_effort: 'low',
      verbosity: 'high',
    });
    expect(outcome).toMatchObject({ ok: true, ignoredParams: ['max_tokens', 'temperature'] });
    expect(under.backend.attempts()[0]?.text).toMatchObject({ verbosity: 'high' });
  });

  it('finishes with length when the model was stopped', async () => {
    expect(answerOf(await under.complete(says('[[length]]'))).choices[0]?.finish_reason).toBe('length');
  });

  it.each([
    ['a parameter that changes the shape', { n: 2 }, 'unsupported', 400],
    ['a result without a call', { messages: [{ role: 'tool', tool_call_id: 'x', content: '' }] }, 'caller_fault', 400],
    ['no messages', { messages: [] }, 'caller_fault', 400],
  ])('asks nothing upstream for %s', async (_, body, failureClass, status) => {
    expect(await under.complete(body)).toMatchObject({
      ok: false,
      failure: { class: failureClass, reachedUpstream: false },
      callerAnswer: { status },
    });
    expect(under.backend.attempts()).toEqual([]);
  });

  it('names the parameter that it can’t do', async () => {
    expect(await under.complete({ n: 2 })).toMatchObject({ failure: { class: 'unsupported', param: 'n' } });
  });

  it('asks nothing upstream for a model out of the catalogue', async () => {
    const outcome = await under.complete(says('x'), { model: 'gpt-nobody-has' });
    expect(outcome).toMatchObject({
      ok: false,
      failure: { class: 'model_unavailable' },
      callerAnswer: { status: 404 },
    });
    expect(under.backend.attempts()).toEqual([]);
  });

  it('leaves nothing of a prompt or an answer on disk', async () => {
    const marker = 'only-in-this-prompt';
    await under.complete(says(marker));
    const files = await readdir(under.homeDir, { recursive: true, withFileTypes: true });
    for (const file of files.filter((entry) => entry.isFile())) {
      expect(await readFile(join(file.parentPath, file.name), 'latin1'), file.name).not.toContain(marker);
    }
  });
});
