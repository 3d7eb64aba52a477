import { describe, expect, it } from 'vitest';
import { asksForUsage, toEmbeddingsBody, toProviderBody, toResponsesBody } from '../../../lanes/openai/request-body.ts';

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

describe('toResponsesBody', () => {
  const parse = (body: Record<string, unknown>, stream = false): unknown =>
    JSON.parse(toResponsesBody({ body, model: 'real', stream }));

  it('has nothing kept at the provider, whatever the caller said', () => {
    expect(parse({ model: 'alias', input: 'hi', store: true, stream: true, novelty: 1 })).toEqual({
      model: 'real',
      input: 'hi',
      store: false,
      novelty: 1,
    });
    expect(parse({ input: 'hi' }, true)).toEqual({ model: 'real', input: 'hi', store: false, stream: true });
  });

  it('leaves out what only the provider that wrote it could look up', () => {
    const sealed = { type: 'reasoning', id: 'rs_2', summary: [], encrypted_content: 'x' };
    const search = { type: 'web_search_call', id: 'ws_1', status: 'completed' };
    const input = [
      { role: 'user', content: 'hi' },
      { type: 'reasoning', id: 'rs_1', summary: [] },
      sealed,
      search,
      { type: 'function_call', id: 'fc_1', call_id: 'c', name: 'f', arguments: '{}' },
    ];
    expect(parse({ input })).toMatchObject({
      input: [input[0], sealed, search, { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' }],
    });
    expect(JSON.stringify(parse({ input }))).not.toMatch(/rs_1|fc_1/);
  });
});

describe('toEmbeddingsBody', () => {
  it('changes the model alone', () => {
    const body = { model: 'alias', input: ['a'], dimensions: 3 };
    expect(JSON.parse(toEmbeddingsBody({ body, model: 'real' }))).toEqual({ ...body, model: 'real' });
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
