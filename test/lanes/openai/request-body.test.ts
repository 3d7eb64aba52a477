import { describe, expect, it } from 'vitest';
import { keepText } from '../../../core/wire/written-text.ts';
import {
  asksForUsage,
  toBatchBody,
  toEmbeddingsBody,
  toProviderBody,
  toResponsesBody,
} from '../../../lanes/openai/request-body.ts';

const messages = [{ role: 'user', content: 'hi' }];

/** What no double and no object keeps: digits, the form of numbers, names that are numbers, in their places. */
const SCHEMA = '{"maximum": 9223372036854775807, "b": 1.0, "10": 12345678901234567890}';
const written = (text: string) => keepText(JSON.parse(text) as Record<string, unknown>, text);

describe('a body as its caller wrote it', () => {
  it('goes to chat completions with nothing but model and streaming changed', () => {
    const body = written(`{"zz":${SCHEMA}, "stream":true, "model":"alias" ,"messages":[ ],"10":1e2}`);
    expect(toProviderBody({ body, model: 'real', stream: false })).toBe(
      `{"zz":${SCHEMA},"model":"real","messages":[ ],"10":1e2}`,
    );
    expect(toProviderBody({ body, model: 'real', stream: true })).toBe(
      `{"zz":${SCHEMA},"model":"real","messages":[ ],"10":1e2,"stream":true,"stream_options":{"include_usage":true}}`,
    );
  });

  it('keeps other options of its stream', () => {
    const body = written('{"model":"alias","stream_options":{"x":12345678901234567890,"include_usage":false}}');
    expect(toProviderBody({ body, model: 'real', stream: true })).toBe(
      '{"model":"real","stream":true,"stream_options":{"x":12345678901234567890,"include_usage":true}}',
    );
  });

  it('goes to responses without ids, and with what is in its items', () => {
    const items = [
      `{"id":"rs_1","type":"reasoning","summary":[]}`,
      `{"role":"user","content":"hi","x":${SCHEMA}}`,
      `{"id":"fc_1","type":"function_call","call_id":"c","name":"f","arguments":"{}","x":${SCHEMA}}`,
    ];
    const body = written(`{"model":"alias","input":[${items.join(', ')}],"x":${SCHEMA},"store":true}`);
    expect(toResponsesBody({ body, model: 'real', stream: false })).toBe(
      `{"model":"real","input":[${items[1]},${items[2]?.replace('"id":"fc_1",', '')}],"x":${SCHEMA},"store":false}`,
    );
  });

  it('goes to embeddings and to a Batch API likewise, and there on one line', () => {
    const body = written(`{"model":"alias",\n"stream":false,"input":[1,\r\n2],"x":${SCHEMA}}`);
    expect(toEmbeddingsBody({ body, model: 'real' })).toBe(`{"model":"real","input":[1,\r\n2],"x":${SCHEMA}}`);
    expect(toBatchBody({ body, model: 'real' })).toBe(`{"model":"real","input":[1, 2],"x":${SCHEMA}}`);
  });

  it('names no other model than the lane’s, however the caller wrote the name', () => {
    const twice = String.raw`{"model":"alias","mod\u0065l":"other","n":2,"n":1}`;
    expect(toProviderBody({ body: written(twice), model: 'real', stream: false })).toBe('{"model":"real","n":1}');
    const escaped = String.raw`{"mod\u0065l":"other"}`;
    expect(toProviderBody({ body: written(escaped), model: 'real', stream: false })).toBe('{"model":"real"}');
  });
});

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
