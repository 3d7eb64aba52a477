import { describe, expect, it } from 'vitest';
import { chatRequestSchema } from '../../../core/wire/chat-request.ts';
import { isRefusal, type Refusal } from '../../../lanes/codex/refusal.ts';
import { translateRequest, type TurnRequest } from '../../../lanes/codex/translate-request.ts';
import { dataUrl, IMAGES } from './images.ts';

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const user = { role: 'user', content: 'hello' };
const call = (id: string): object => ({ id, type: 'function', function: { name: 'f', arguments: '{"a":1}' } });
const tool = (name: string, more: object = {}): object => ({ type: 'function', function: { name, ...more } });
const CUSTOM_CALL = { id: 'c2', type: 'custom', custom: { name: 'x', input: 'y' } };

function translate(body: object, efforts?: readonly string[]): TurnRequest | Refusal {
  return translateRequest(chatRequestSchema.parse({ model: 'm', messages: [user], ...body }), efforts);
}

function translated(body: object, efforts?: readonly string[]): TurnRequest {
  const result = translate(body, efforts);
  if (isRefusal(result)) throw result.error;
  return result;
}

describe('translateRequest', () => {
  it('turns a history into items, in order, with system messages at their own places', () => {
    const { items } = translated({
      messages: [
        { role: 'system', content: 'be brief' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'one' },
            { type: 'text', text: 'two' },
          ],
        },
        { role: 'assistant', content: 'well', tool_calls: [call('c1'), call('c2')] },
        { role: 'tool', tool_call_id: 'c2', content: 'second' },
        { role: 'tool', tool_call_id: 'c1', content: [{ type: 'text', text: 'first' }] },
        { role: 'developer', content: 'now in French' },
        { role: 'assistant', content: [{ type: 'refusal', refusal: 'no' }] },
        user,
      ],
    });
    expect(items).toEqual([
      { type: 'message', role: 'developer', content: [{ type: 'input_text', text: 'be brief' }] },
      {
        type: 'message',
        role: 'user',
        content: [
          { type: 'input_text', text: 'one' },
          { type: 'input_text', text: 'two' },
        ],
      },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'well' }] },
      { type: 'function_call', name: 'f', arguments: '{"a":1}', call_id: 'c1' },
      { type: 'function_call', name: 'f', arguments: '{"a":1}', call_id: 'c2' },
      { type: 'function_call_output', call_id: 'c2', output: 'second' },
      { type: 'function_call_output', call_id: 'c1', output: 'first' },
      { type: 'message', role: 'developer', content: [{ type: 'input_text', text: 'now in French' }] },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'no' }] },
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'hello' }] },
    ]);
  });

  it.each([
    ['a result without a call', [user, { role: 'tool', tool_call_id: 'x', content: 'r' }], 'messages[1].tool_call_id'],
    ['a call without a result', [user, { role: 'assistant', tool_calls: [call('c1')] }, user], 'messages[2]'],
    [
      'two calls of one id',
      [
        user,
        { role: 'assistant', tool_calls: [call('c1'), call('c1')] },
        { role: 'tool', tool_call_id: 'c1', content: '' },
      ],
      'messages[1].tool_calls[1].id',
    ],
    ['a call at the end', [user, { role: 'assistant', tool_calls: [call('c1')] }], 'messages[1]'],
  ])("takes %s as the caller's fault", (_, messages, param) => {
    expect(translate({ messages })).toMatchObject({ class: 'caller_fault', error: { status: 400, param } });
  });

  it.each([
    ['image/png', `data:image/png;base64,${PNG}`],
    ['image/jpeg', dataUrl('image/jpeg', IMAGES['image/jpeg'])],
    ['image/gif', dataUrl('image/gif', IMAGES['image/gif'])],
    ['image/webp', dataUrl('image/webp', IMAGES['image/webp'])],
  ])('takes %s as a data: URL', (_, url) => {
    const content = [{ type: 'image_url', image_url: { url, detail: 'high' } }];
    expect(translated({ messages: [{ role: 'user', content }] }).items[0]).toEqual({
      type: 'message',
      role: 'user',
      content: [{ type: 'input_image', image_url: url, detail: 'high' }],
    });
  });

  it.each([
    ['an image by URL', { type: 'image_url', image_url: { url: 'https://example.com/a.png' } }, '.image_url.url'],
    ['another type', { type: 'image_url', image_url: { url: 'data:image/svg+xml;base64,PHN2Zz4=' } }, '.image_url.url'],
    ['a false type', { type: 'image_url', image_url: { url: 'data:image/png;base64,/9j/4AAQ' } }, '.image_url.url'],
    ['no base64', { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGg!!' } }, '.image_url.url'],
    [
      'more than 20 MB',
      { type: 'image_url', image_url: { url: `data:image/png;base64,iVBORw0KGgo${'A'.repeat(28_000_000)}` } },
      '.image_url.url',
    ],
    ['audio', { type: 'input_audio', input_audio: {} }, ''],
    ['a file', { type: 'file', file: {} }, ''],
  ])('leaves content with %s to other lanes', (_, part, suffix) => {
    expect(translate({ messages: [{ role: 'user', content: [part] }] })).toMatchObject({
      class: 'unsupported',
      error: {
        status: 400,
        param: `messages[0].content[0]${suffix}`,
        body: { error: { code: 'unsupported_parameter' } },
      },
    });
  });

  it.each([
    ['n', { n: 2 }],
    ['logprobs', { logprobs: true }],
    ['logprobs', { top_logprobs: 3 }],
    ['modalities', { modalities: ['text', 'audio'] }],
    ['audio', { audio: { voice: 'x' } }],
    ['functions', { functions: [] }],
    ['web_search_options', { web_search_options: {} }],
    ['tool_choice', { tools: [tool('f')], tool_choice: { type: 'allowed_tools', allowed_tools: {} } }],
    ['tool_choice', { tools: [tool('f')], tool_choice: { type: 'custom', custom: { name: 'f' } } }],
    ['tools[1]', { tools: [tool('f'), { type: 'custom', custom: { name: 'g' } }] }],
    ['tools[1].function.name', { tools: [tool('f'), tool('f')] }],
    ['tools[0].function.name', { tools: [tool('exec_command')] }],
    ['tools[0].function.name', { tools: [tool('shell_command')] }],
    ['tools[1].function.name', { tools: [tool('f'), tool('mcp__files__read')] }],
    ['reasoning_effort', { reasoning_effort: 'ultra' }],
    ['messages[0].tool_calls[1]', { messages: [{ role: 'assistant', tool_calls: [call('c1'), CUSTOM_CALL] }] }],
  ])('leaves %s to other lanes: %j', (param, body) => {
    expect(translate(body)).toMatchObject({ class: 'unsupported', error: { status: 400, param } });
  });

  it('takes null for what is left out', () => {
    const nothing = { tools: null, tool_choice: null, parallel_tool_calls: null, response_format: null, user: null };
    const answered = { role: 'assistant', content: 'well', tool_calls: null };
    expect(translated({ messages: [answered], ...nothing })).toEqual(
      translated({ messages: [{ role: 'assistant', content: 'well' }] }),
    );
  });

  it('lists what has no effect, and nothing that says nothing about the answer', () => {
    const { ignoredParams } = translated({
      temperature: 0.5,
      top_p: 1,
      max_tokens: 10,
      max_completion_tokens: 10,
      presence_penalty: 1,
      frequency_penalty: 1,
      seed: 1,
      stop: ['x'],
      service_tier: 'flex',
      n: 1,
      logprobs: false,
      user: 'u',
      metadata: { a: 'b' },
      store: true,
      stream: true,
      stream_options: { include_usage: true },
      logit_bias: null,
      tools: [tool('f', { strict: true })],
    });
    expect(ignoredParams).toEqual([
      'frequency_penalty',
      'max_completion_tokens',
      'max_tokens',
      'presence_penalty',
      'seed',
      'service_tier',
      'stop',
      'temperature',
      'top_p',
      'tools.function.strict',
    ]);
  });

  it('offers functions, and none when tool_choice is none', () => {
    const tools = [tool('f', { description: 'd', parameters: { type: 'object', properties: { a: {} } } }), tool('g')];
    expect(translated({ tools, tool_choice: 'auto' }).dynamicTools).toEqual([
      { type: 'function', name: 'f', description: 'd', inputSchema: { type: 'object', properties: { a: {} } } },
      { type: 'function', name: 'g', description: '', inputSchema: { type: 'object', properties: {} } },
    ]);
    expect(translated({ tools, tool_choice: 'none' }).dynamicTools).toEqual([]);
  });

  it.each([
    ['required', 'required', ['f', 'g'], 'at least one of the functions'],
    ['one by name', { type: 'function', function: { name: 'g' } }, ['g'], 'the function `g`'],
  ])('demands a call in words behind the history, with tool_choice %s', (_, choice, offered, words) => {
    const request = translated({ tools: [tool('f'), tool('g')], tool_choice: choice });
    expect(request.mustCall).toBe(true);
    expect(request.dynamicTools.map(({ name }) => name)).toEqual(offered);
    expect(request.items.at(-1)).toMatchObject({
      role: 'developer',
      content: [{ text: expect.stringContaining(words) as string }],
    });
    expect(request.ignoredParams).toEqual([]);
  });

  it.each([
    ['auto', { tools: [tool('f')], tool_choice: 'auto' }],
    ['none', { tools: [tool('f')], tool_choice: 'none' }],
    ['no choice', { tools: [tool('f')] }],
  ])('demands no call with %s', (_, body) => {
    const request = translated(body);
    expect(request.mustCall).toBe(false);
    expect(request.items).toHaveLength(1);
  });

  it.each([
    ['without tools', {}, 'required'],
    ['with an empty list', { tools: [] }, 'required'],
    ['of a function that is not there', { tools: [tool('f')] }, { type: 'function', function: { name: 'g' } }],
  ])('takes a demanded call %s as the caller’s fault', (_, body, choice) => {
    expect(translate({ ...body, tool_choice: choice })).toMatchObject({
      class: 'caller_fault',
      error: { status: 400, param: 'tool_choice' },
    });
  });

  it('passes effort and verbosity on where the model has them', () => {
    expect(translated({ reasoning_effort: 'high', verbosity: 'low' }, ['low', 'high'])).toMatchObject({
      effort: 'high',
      verbosity: 'low',
    });
    expect(translate({ reasoning_effort: 'minimal' }, ['low', 'high'])).toMatchObject({ class: 'unsupported' });
    expect(translate({ reasoning_effort: 'ultra' }, ['low', 'ultra'])).toMatchObject({ class: 'unsupported' });
  });

  describe('with a format', () => {
    const closed = {
      type: 'object',
      properties: { a: { type: 'string' } },
      required: ['a'],
      additionalProperties: false,
    };
    const open = { type: 'object', properties: { a: { type: 'string' } } };
    const schema = (json_schema: object): object => ({ response_format: { type: 'json_schema', json_schema } });

    it('holds the model to a schema that is strict, or that strict mode takes anyway', () => {
      expect(translated(schema({ name: 's', schema: closed })).outputSchema).toEqual(closed);
      expect(translated(schema({ name: 's', schema: open, strict: true })).outputSchema).toEqual(open);
    });

    it.each([
      ['open', open],
      ['closed, with a keyword that strict mode does not have', { ...closed, patternProperties: {} }],
    ])('asks in words for a schema that is %s', (_, refused) => {
      const request = translated(schema({ name: 'shape', schema: refused, strict: false }));
      expect(translated(schema({ name: 'shape', schema: refused })).outputSchema).toBeUndefined();
      expect(translated(schema({ name: 'shape', schema: refused, strict: true })).outputSchema).toEqual(refused);
      expect(request.outputSchema).toBeUndefined();
      expect(JSON.stringify(request.items[0])).toContain('shape');
      expect(request.json).toBe(true);
    });

    it('asks in words for a JSON object', () => {
      const request = translated({ response_format: { type: 'json_object' } });
      expect(request.outputSchema).toBeUndefined();
      expect(request.items[0]).toMatchObject({ type: 'message', role: 'developer' });
      expect(request.items).toHaveLength(2);
    });

    it('adds nothing for text', () => {
      expect(translated({ response_format: { type: 'text' } })).toMatchObject({ json: false });
      expect(translated({ response_format: { type: 'text' } }).items).toHaveLength(1);
    });
  });
});
