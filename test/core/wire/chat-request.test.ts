import { describe, expect, it } from 'vitest';
import { chatRequestSchema } from '../../../core/wire/chat-request.ts';

const parse = (more: object) =>
  chatRequestSchema.safeParse({ model: 'm', messages: [{ role: 'user', content: 'hello' }], ...more });

const CUSTOM_CALL = { id: 'c1', type: 'custom', custom: { name: 'x', input: 'y' } };
const history = (calls: unknown) => ({ messages: [{ role: 'assistant', content: null, tool_calls: calls }] });

describe('a chat request', () => {
  it.each([
    ['a function', { tools: [{ type: 'function', function: { name: 'weather', parameters: {} } }] }],
    ['a tool that we do not know', { tools: [{ type: 'custom', custom: { name: 'a b' } }] }],
    ['one function by name', { tool_choice: { type: 'function', function: { name: 'weather' } } }],
    ['a choice that we do not know', { tool_choice: { type: 'allowed_tools', allowed_tools: {} } }],
    ['fields that we do not know', { of_tomorrow: 1 }],
    ['null for tools', { tools: null, tool_choice: null, parallel_tool_calls: null }],
    ['null for what else is left out', { response_format: null, user: null }],
    ['a call of a tool that we do not know in its history', history([CUSTOM_CALL])],
    ['null for the calls of its history', history(null)],
  ])('may have %s', (_, more) => {
    expect(parse(more)).toMatchObject({ success: true, data: more });
  });

  // What is not in order must not pass as a tool that we don't know: a lane takes it for a function, and breaks on it.
  it.each([
    ['without its function', { tools: [{ type: 'function' }] }],
    ['whose function is null', { tools: [{ type: 'function', function: null }] }],
    ['with an unfit name', { tools: [{ type: 'function', function: { name: 'a b' } }] }],
    ['with parameters that are no object', { tools: [{ type: 'function', function: { name: 'a', parameters: [] } }] }],
    ['chosen without a name', { tool_choice: { type: 'function', function: {} } }],
    ['chosen without its function', { tool_choice: { type: 'function' } }],
    ['called without its function', history([{ id: 'c1', type: 'function' }])],
    ['called without arguments', history([{ id: 'c1', type: 'function', function: { name: 'a' } }])],
    ['called without an id', history([{ ...CUSTOM_CALL, id: undefined }])],
  ])('is refused for a function %s', (_, more) => {
    expect(parse(more).success).toBe(false);
  });
});
