import { describe, expect, it } from 'vitest';
import { responsesRequestSchema } from '../../../core/wire/responses-request.ts';
import { isRefusal } from '../../../lanes/codex/refusal.ts';
import { echoOf, translateResponses } from '../../../lanes/codex/translate-responses.ts';
import type { TurnRequest } from '../../../lanes/codex/translate-request.ts';
import { dataUrl, IMAGES } from './images.ts';

const parse = (more: object) => responsesRequestSchema.parse({ model: 'm', input: 'hi', ...more });

function translated(more: object, efforts?: readonly string[]): TurnRequest {
  const result = translateResponses(parse(more), efforts);
  if (isRefusal(result)) throw new Error(result.reason);
  return result;
}

function refusal(more: object, efforts?: readonly string[]) {
  const result = translateResponses(parse(more), efforts);
  return isRefusal(result) ? { class: result.class, param: result.error.param } : undefined;
}

const PNG = dataUrl('image/png', IMAGES['image/png']);
const CALL = { type: 'function_call', call_id: 'c1', name: 'f', arguments: '{}' };
const OUTPUT = { type: 'function_call_output', call_id: 'c1', output: 'done' };
const developer = (text: string) => ({
  type: 'message',
  role: 'developer',
  content: [{ type: 'input_text', text }],
});

describe('translateResponses', () => {
  it('takes a text as one message of the user, behind the instructions', () => {
    expect(translated({ instructions: 'be kind' }).items).toEqual([
      developer('be kind'),
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'hi' }] },
    ]);
  });

  it.each([
    ['a system message', { role: 'system', content: 'x' }, developer('x')],
    [
      'a developer message of parts',
      { role: 'developer', content: [{ type: 'input_text', text: 'x' }] },
      developer('x'),
    ],
    [
      'an answer with its id',
      {
        type: 'message',
        id: 'msg_1',
        status: 'completed',
        role: 'assistant',
        content: [{ type: 'output_text', text: 'x', annotations: [] }],
      },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'x' }] },
    ],
    [
      'an image',
      { role: 'user', content: [{ type: 'input_image', image_url: PNG, detail: 'high' }] },
      { type: 'message', role: 'user', content: [{ type: 'input_image', image_url: PNG, detail: 'high' }] },
    ],
  ])('takes %s', (_, item, expected) => {
    expect(translated({ input: [item] }).items).toEqual([expected]);
  });

  it('takes calls and their outputs in any order that has the call first', () => {
    const second = { ...CALL, id: 'fc_1', status: 'completed', call_id: 'c2' };
    const parts = [{ type: 'input_text', text: 'a' }];
    const { items } = translated({
      input: [CALL, second, { ...OUTPUT, call_id: 'c2', output: parts }, OUTPUT],
    });
    expect(items).toEqual([CALL, { ...CALL, call_id: 'c2' }, { ...OUTPUT, call_id: 'c2', output: 'a' }, OUTPUT]);
  });

  it('leaves reasoning of another backend out, and says so', () => {
    const reasoning = { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'x' };
    const { items, ignoredParams } = translated({ input: [reasoning, { role: 'user', content: 'x' }] });
    expect(items).toHaveLength(1);
    expect(ignoredParams).toEqual(['input.reasoning']);
  });

  it('offers functions, and leaves out what has no effect', () => {
    const tools = [{ type: 'function', name: 'f', description: 'does', parameters: { type: 'object' }, strict: true }];
    const { dynamicTools, parallelToolCalls, ignoredParams } = translated({ tools, parallel_tool_calls: false });
    expect(dynamicTools).toEqual([
      { type: 'function', name: 'f', description: 'does', inputSchema: { type: 'object' } },
    ]);
    expect(parallelToolCalls).toBe(false);
    expect(ignoredParams).toEqual(['tools.strict']);
    expect(translated({ tools, tool_choice: 'none' }).dynamicTools).toEqual([]);
  });

  it('offers the function that must be called alone, and demands the call behind the input', () => {
    const tools = [
      { type: 'function', name: 'f' },
      { type: 'function', name: 'g' },
    ];
    const { dynamicTools, mustCall, items } = translated({ tools, tool_choice: { type: 'function', name: 'g' } });
    expect(mustCall).toBe(true);
    expect(dynamicTools.map(({ name }) => name)).toEqual(['g']);
    expect(items.at(-1)).toMatchObject({ role: 'developer' });
    expect(translated({ tools, tool_choice: 'required' })).toMatchObject({ mustCall: true });
  });

  it('holds the model to a strict schema, and asks for any other JSON in words', () => {
    const schema = { type: 'object', properties: {}, required: [], additionalProperties: false };
    const strict = { type: 'json_schema', name: 'n', schema, strict: true };
    expect(translated({ text: { format: strict } })).toMatchObject({ outputSchema: schema, json: true });
    const object = translated({ text: { format: { type: 'json_object' } } });
    expect(object).toMatchObject({ json: true });
    expect(object.items).toHaveLength(2);
    expect(translated({ text: { format: { type: 'text' } } }).json).toBe(false);
  });

  it('passes effort and verbosity on', () => {
    expect(translated({ reasoning: { effort: 'low' }, text: { verbosity: 'high' } })).toMatchObject({
      effort: 'low',
      verbosity: 'high',
    });
  });

  it('lists what a plan has no way for', () => {
    const { ignoredParams } = translated({
      temperature: 1,
      max_output_tokens: 5,
      include: ['reasoning.encrypted_content'],
      reasoning: { summary: 'auto' },
      store: true,
      metadata: { a: 'b' },
      top_p: null,
      top_logprobs: 0,
      truncation: 'disabled',
      novelty: 1,
    });
    expect(ignoredParams).toEqual(['include', 'max_output_tokens', 'novelty', 'reasoning.summary', 'temperature']);
  });

  it.each([
    ['top_logprobs', { top_logprobs: 2 }],
    ['include', { include: ['message.output_text.logprobs'] }],
    ['prompt', { prompt: { id: 'pmpt_1' } }],
    ['tools[0]', { tools: [{ type: 'web_search' }] }],
    ['tools[0].name', { tools: [{ type: 'function', name: 'exec_command' }] }],
    ['tool_choice', { tool_choice: { type: 'web_search_preview' }, tools: [{ type: 'function', name: 'f' }] }],
    ['reasoning.effort', { reasoning: { effort: 'ultra' } }],
    ['input[0]', { input: [{ type: 'computer_call', id: 'x' }] }],
    ['input[0].content[0]', { input: [{ role: 'user', content: [{ type: 'input_file', file_id: 'x' }] }] }],
    [
      'input[0].content[0].image_url',
      { input: [{ role: 'user', content: [{ type: 'input_image', image_url: 'https://example.com/a.png' }] }] },
    ],
  ])('leaves %s to a key lane', (param, more) => {
    expect(refusal(more)).toEqual({ class: 'unsupported', param });
  });

  it.each([
    ['an output without its call', 'input[0].call_id', [OUTPUT]],
    ['an output before its call', 'input[0].call_id', [OUTPUT, CALL]],
    ['two open calls of one id', 'input[1].call_id', [CALL, CALL, OUTPUT, OUTPUT]],
    ['a call without its output', 'input[1]', [{ role: 'user', content: 'x' }, CALL]],
  ])('takes %s as the caller’s fault', (_, param, input) => {
    expect(refusal({ input })).toEqual({ class: 'caller_fault', param });
  });

  it('takes a call of an id that has its output already', () => {
    expect(translated({ input: [CALL, OUTPUT, CALL, OUTPUT] }).items).toHaveLength(4);
  });

  it('lists the detail of an image that has no effect, and does not take one that there is not', () => {
    const withDetail = (detail: string): object => ({
      input: [{ role: 'user', content: [{ type: 'input_image', image_url: PNG, detail }] }],
    });
    expect(translated(withDetail('low')).ignoredParams).toEqual(['input.content.detail']);
    expect(refusal(withDetail('banana'))).toEqual({ class: 'unsupported', param: 'input[0].content[0].detail' });
  });

  it('does not take an effort that the model does not have', () => {
    expect(refusal({ reasoning: { effort: 'high' } }, ['low'])).toEqual({
      class: 'unsupported',
      param: 'reasoning.effort',
    });
  });
});

describe('echoOf', () => {
  it('says what was asked, and that nothing is kept', () => {
    expect(echoOf(parse({ store: true, temperature: 0.5, metadata: { a: 'b' }, instructions: 'i' }))).toMatchObject({
      store: false,
      temperature: 0.5,
      metadata: { a: 'b' },
      instructions: 'i',
      tool_choice: 'auto',
      tools: [],
      text: { format: { type: 'text' } },
      previous_response_id: null,
    });
  });
});
