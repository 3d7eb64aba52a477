import { describe, expect, it } from 'vitest';
import { readEmbeddings } from '../../../lanes/openai/read-embeddings.ts';
import { readResponse, readResponsesStream } from '../../../lanes/openai/read-responses.ts';
import type { StreamEnd } from '../../../lanes/openai/read-stream.ts';

const RESPONSE = { object: 'response', status: 'completed', error: null, output: [], usage: { input_tokens: 1 } };

async function stream(events: readonly (object | string)[]): Promise<{ end: StreamEnd; passed: string[] }> {
  const passed: string[] = [];
  const text = events.map((event) => `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`).join('');
  async function* body(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(text);
  }
  const end = await readResponsesStream({
    body: body(),
    passUsage: false,
    passOn: async (json) => void passed.push((JSON.parse(json) as { type: string }).type),
    ending: () => undefined,
  });
  return { end, passed };
}

const created = { type: 'response.created', response: { ...RESPONSE, status: 'in_progress' } };
const delta = { type: 'response.output_text.delta', delta: 'x' };
const completed = { type: 'response.completed', response: RESPONSE };

describe('readResponse', () => {
  it('takes a whole response as it is', () => {
    expect(readResponse(` ${JSON.stringify(RESPONSE)}\n`)).toEqual({
      whole: true,
      body: JSON.stringify(RESPONSE),
      usage: RESPONSE.usage,
    });
  });

  it.each([
    '<!doctype html>',
    '[]',
    '{}',
    JSON.stringify({ error: { message: 'x' } }),
    JSON.stringify({ ...RESPONSE, status: 'failed' }),
    JSON.stringify({ ...RESPONSE, status: 'in_progress' }),
  ])('does not take %s', (text) => {
    expect(readResponse(text).whole).toBe(false);
  });
});

describe('readResponsesStream', () => {
  it('holds back what only announces, passes on the rest, and has the answer from the last event', async () => {
    const { end, passed } = await stream([created, delta, completed, '[DONE]']);
    expect(passed).toEqual(['response.created', 'response.output_text.delta', 'response.completed']);
    expect(end).toEqual({ whole: true, completion: RESPONSE, usage: RESPONSE.usage });
  });

  it('has passed nothing on when it fails before there is content', async () => {
    const { end, passed } = await stream([created, { type: 'response.failed', response: { error: { code: 'x' } } }]);
    expect(end.whole).toBe(false);
    expect(passed).toEqual([]);
  });

  it.each([
    ['ends without its last event', [created, delta]],
    ['has an error in it', [created, delta, { type: 'error', message: 'x' }]],
    ['has something else in it', [created, delta, 'nonsense']],
  ])('is not whole when it %s', async (_, events) => {
    const { end, passed } = await stream(events);
    expect(end.whole).toBe(false);
    expect(passed).toEqual(['response.created', 'response.output_text.delta']);
  });
});

describe('readEmbeddings', () => {
  it('takes a list of embeddings, as numbers or as base64', () => {
    const body = JSON.stringify({ object: 'list', data: [{ embedding: [1] }, { embedding: 'AAAA' }], usage: null });
    expect(readEmbeddings(body)).toEqual({ whole: true, body, usage: null });
  });

  it.each(['<html>', '{}', '{"data":[]}', '{"data":[{}]}', '{"error":{"message":"x"},"data":[{"embedding":[1]}]}'])(
    'does not take %s',
    (text) => {
      expect(readEmbeddings(text).whole).toBe(false);
    },
  );
});
