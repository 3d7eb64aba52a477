import { describe, expect, it } from 'vitest';
import { asksForUsage, toProviderBody } from '../../../lanes/openai/request-body.ts';

const messages = [{ role: 'user', content: 'hi' }];

describe('toProviderBody', () => {
  it('replaces the model and passes on what it does not know', () => {
    const body = { model: 'alias', messages, top_k: 4, stream: false, stream_options: { include_usage: true } };
    expect(JSON.parse(toProviderBody({ body, model: 'real', stream: false }))).toEqual({
      model: 'real',
      messages,
      top_k: 4,
    });
  });

  it('asks every stream for its usage and keeps other options', () => {
    const body = { model: 'alias', messages, stream_options: { include_usage: false, include_obfuscation: false } };
    expect(JSON.parse(toProviderBody({ body, model: 'real', stream: true }))).toEqual({
      model: 'real',
      messages,
      stream: true,
      stream_options: { include_usage: true, include_obfuscation: false },
    });
  });
});

describe('asksForUsage', () => {
  it.each([
    [{ stream_options: { include_usage: true } }, true],
    [{ stream_options: { include_usage: false } }, false],
    [{ stream_options: null }, false],
    [{}, false],
  ])('reads it from %j', (body, asked) => {
    expect(asksForUsage(body)).toBe(asked);
  });
});
