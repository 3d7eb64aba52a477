import { describe, expect, it } from 'vitest';
import { shareKeyOf } from '../../../api/completions/conversation-key.ts';

const SYSTEM = { role: 'system', content: 'Be brief.' };
const FIRST = { role: 'user', content: 'What is a lane?' };
const MORE = [
  { role: 'assistant', content: 'A way.' },
  { role: 'user', content: 'And a rung?' },
];
const key = (body: object, given: Partial<Parameters<typeof shareKeyOf>[0]> = {}) =>
  shareKeyOf({ requestId: 'req_1', keyId: 'key_1', operation: 'chat', body: { model: 'm', ...body }, ...given });
const chat = (...messages: readonly object[]): object => ({ messages });

describe('the conversation of a request', () => {
  it('stays the same while it goes on', () => {
    const first = key(chat(SYSTEM, FIRST));
    expect(first.sticky).toBe(true);
    expect(key(chat(SYSTEM, FIRST, ...MORE), { requestId: 'req_2' })).toEqual(first);
    expect(key(chat(SYSTEM, FIRST, ...MORE, SYSTEM, FIRST))).toEqual(first);
  });

  it.each<[string, object, Partial<Parameters<typeof shareKeyOf>[0]>]>([
    ['other instructions', chat({ ...SYSTEM, content: 'Be long.' }, FIRST), {}],
    ['no instructions', chat(FIRST), {}],
    ['another first message', chat(SYSTEM, { ...FIRST, content: 'What is a window?' }), {}],
    ['another key', chat(SYSTEM, FIRST), { keyId: 'key_2' }],
    ['another model', { ...chat(SYSTEM, FIRST), model: 'n' }, {}],
    ['a key of its own', { ...chat(SYSTEM, FIRST), prompt_cache_key: 'mine' }, {}],
  ])('is another one with %s', (_, body, given) => {
    expect(key(body, given).seed).not.toBe(key(chat(SYSTEM, FIRST)).seed);
  });

  it('is what the caller says it is', () => {
    const named = (body: object) => key({ ...body, prompt_cache_key: 'mine' });
    expect(named(chat(FIRST))).toEqual(named(chat(SYSTEM, ...MORE)));
  });

  it('is known of responses as well', () => {
    const responses = (body: object) => key(body, { operation: 'responses' });
    const first = responses({ instructions: 'Be brief.', input: [FIRST] });
    expect(first.sticky).toBe(true);
    expect(responses({ instructions: 'Be brief.', input: [FIRST, ...MORE] })).toEqual(first);
    expect(responses({ instructions: 'Be long.', input: [FIRST] })).not.toEqual(first);
    expect(responses({ input: 'What is a lane?' }).sticky).toBe(true);
  });

  it('is none for embeddings, nor where nobody has said anything', () => {
    const alone = { seed: 'req_1', sticky: false };
    expect(key({ input: 'text' }, { operation: 'embeddings' })).toEqual(alone);
    expect(key(chat(SYSTEM))).toEqual(alone);
    expect(key({})).toEqual(alone);
  });

  it('shows nothing of the prompt', () => {
    expect(key(chat(SYSTEM, FIRST)).seed).toMatch(/^[\w-]{43}$/);
  });
});
