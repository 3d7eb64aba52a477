import { describe, expect, it } from 'vitest';
import { readCompletion } from '../../../lanes/openai/read-completion.ts';

const choice = { index: 0, message: { role: 'assistant', content: 'x' }, finish_reason: 'stop' };
const ANSWER = JSON.stringify({ id: 'c', choices: [choice], usage: { prompt_tokens: 1 }, error: null });

describe('readCompletion', () => {
  it('keeps the provider’s text as it is, but for the white space around it', () => {
    expect(readCompletion(`\n\n  ${ANSWER}\n`)).toEqual({ whole: true, body: ANSWER, usage: { prompt_tokens: 1 } });
  });

  it.each([
    ['nothing', ''],
    ['HTML', '<html></html>'],
    ['cut JSON', ANSWER.slice(0, -10)],
    ['another kind of JSON', '[]'],
    ['an error', '{"error":{"message":"no"}}'],
    ['an error beside choices', JSON.stringify({ choices: [choice], error: { code: 502 } })],
    ['no choices', '{"id":"c"}'],
    ['an empty list of choices', '{"choices":[]}'],
    ['a choice without a message', '{"choices":[{"index":0}]}'],
    ['a provider that gave up', JSON.stringify({ choices: [{ ...choice, finish_reason: 'error' }] })],
  ])('takes a 200 with %s as no answer', (_, text) => {
    expect(readCompletion(text)).toMatchObject({ whole: false });
  });
});
