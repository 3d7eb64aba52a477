import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseBody } from '../../api/parse-body.ts';
import { ApiError } from '../../core/errors.ts';
import { chatRequestSchema } from '../../core/wire/chat-request.ts';

const user = { role: 'user', content: 'hi' };
const withMessage = (message: unknown): object => ({ model: 'm', messages: [user, message] });

function errorOf(schema: z.ZodType, body: unknown): { name: string; param: string | null; status: number } {
  try {
    parseBody(schema, body);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { name: error.errorName, param: error.param, status: error.status };
  }
  throw new Error('the body was taken');
}

it('names a parameter that is not known', () => {
  const schema = z.strictObject({ a: z.strictObject({ b: z.string().optional() }) });
  for (const [body, param] of [
    [{ a: {}, $set: 1 }, '$set'],
    [{ a: { c: 1 } }, 'a.c'],
  ] as const) {
    expect(errorOf(schema, body)).toEqual({ name: 'unsupported_parameter', param, status: 400 });
  }
});

const CASES: readonly [title: string, body: unknown, name: string, param: string | null][] = [
  ['no body', undefined, 'invalid_request', null],
  ['null', null, 'invalid_request', null],
  ['a list', [user], 'invalid_request', null],
  ['a text', 'hi', 'invalid_request', null],
  ['no model', { messages: [user] }, 'missing_required_parameter', 'model'],
  ['a model of another type', { model: 7, messages: [user] }, 'invalid_type', 'model'],
  ['a model of endless name', { model: 'm'.repeat(201), messages: [user] }, 'invalid_value', 'model'],
  ['an empty model', { model: '', messages: [user] }, 'invalid_value', 'model'],
  ['no messages', { model: 'm' }, 'missing_required_parameter', 'messages'],
  ['messages of another type', { model: 'm', messages: 'hi' }, 'invalid_type', 'messages'],
  ['messages that are null', { model: 'm', messages: null }, 'invalid_type', 'messages'],
  ['empty messages', { model: 'm', messages: [] }, 'invalid_value', 'messages'],
  ['a message of another type', withMessage('hi'), 'invalid_type', 'messages[1]'],
  ['a message without a role', withMessage({ content: 'hi' }), 'missing_required_parameter', 'messages[1].role'],
  ['an unknown role', withMessage({ role: 'king', content: 'hi' }), 'invalid_value', 'messages[1].role'],
  ['a message without content', withMessage({ role: 'user' }), 'missing_required_parameter', 'messages[1].content'],
  ['content of another type', withMessage({ role: 'user', content: 7 }), 'invalid_type', 'messages[1].content'],
  [
    'an unknown kind of part',
    withMessage({ role: 'user', content: [{ type: 'smell' }] }),
    'invalid_value',
    'messages[1].content[0].type',
  ],
  [
    'a text part without text',
    withMessage({ role: 'user', content: [{ type: 'text', text: 'a' }, { type: 'text' }] }),
    'missing_required_parameter',
    'messages[1].content[1].text',
  ],
  [
    'an image whose URL is a number',
    withMessage({ role: 'user', content: [{ type: 'image_url', image_url: { url: 7 } }] }),
    'invalid_type',
    'messages[1].content[0].image_url.url',
  ],
  [
    'a tool message without its call',
    withMessage({ role: 'tool', content: 'x' }),
    'missing_required_parameter',
    'messages[1].tool_call_id',
  ],
  ['a number above its bounds', { model: 'm', messages: [user], temperature: 3 }, 'invalid_value', 'temperature'],
  [
    'metadata that is no text',
    { model: 'm', messages: [user], metadata: { tags: 7 } },
    'invalid_type',
    'metadata.tags',
  ],
  ['a stop that is neither', { model: 'm', messages: [user], stop: 7 }, 'invalid_type', 'stop'],
];

describe('a chat request with', () => {
  it.each(CASES)('%s is refused with the parameter at fault', (_, body, name, param) => {
    expect(errorOf(chatRequestSchema, body)).toEqual({ name, param, status: 400 });
  });
});

describe('parseBody', () => {
  it('gives what it took, unknown fields included', () => {
    const body = { model: 'm', messages: [user], other: { deep: true } };
    expect(parseBody(chatRequestSchema, body)).toEqual(body);
  });

  it('says nothing of the value at fault', () => {
    const schema = z.object({ choice: z.enum(['a', 'b']) });
    expect(() => parseBody(schema, { choice: 'sk-secret' })).toThrow(/^(?!.*sk-secret)/);
  });

  it('takes the branch of a union that came furthest', () => {
    const schema = z.object({
      either: z.union([z.number(), z.object({ a: z.object({ b: z.string() }) }), z.object({ c: z.string() })]),
    });
    expect(errorOf(schema, { either: { a: { b: 1 } } })).toMatchObject({ name: 'invalid_type', param: 'either.a.b' });
    expect(errorOf(schema, { either: true })).toMatchObject({ name: 'invalid_type', param: 'either' });
  });
});
