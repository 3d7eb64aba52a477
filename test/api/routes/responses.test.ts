import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CompletionCall } from '../../../api/completions/run-completion.ts';
import type { ReplyEnd } from '../../../core/reply.ts';
import { APP_KEY, createApiWorld, type ApiWorld } from '../../support/api-world.ts';
import { plantLaneDoc } from '../../support/planted.ts';

const meta = { laneId: 'k', laneAlias: 'meter', attempts: 1, costMicros: 0, meterMicros: 0, ignoredParams: [] };
const done = (body: string | null): ReplyEnd => ({ type: 'done', body, meta });
const failed: ReplyEnd = {
  type: 'failed',
  status: 502,
  body: '{"error":{"message":"out","type":"server_error","param":null,"code":null}}',
  attempts: 1,
};
const chunk = (json: string) => ({ type: 'chunk', json, laneId: 'k', laneAlias: 'meter', attempts: 1 }) as const;

let api: ApiWorld;
let url: string;
let calls: CompletionCall[];
let answer: (call: CompletionCall) => Promise<ReplyEnd>;
beforeAll(async () => {
  api = await createApiWorld();
  api.world.lanes = [plantLaneDoc('k', { models: ['m'] })];
  api.world.runCompletion = (call) => {
    calls.push(call);
    return answer(call);
  };
  url = await api.publicApp.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(() => api.close());
beforeEach(() => (calls = []));

const ask = (body: object, path = 'responses'): Promise<Response> =>
  fetch(`${url}/v1/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${APP_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'm', input: 'hi', ...body }),
  });

describe('POST /v1/responses', () => {
  it('hands the operation down and the lane’s body up', async () => {
    answer = async () => done('{"object":"response"}');
    const response = await ask({ store: true, novelty: 1 });
    expect(await response.json()).toEqual({ object: 'response' });
    expect(calls[0]).toMatchObject({ operation: 'responses', model: 'm', stream: false, body: { novelty: 1 } });
  });

  it('names each event of a stream after its type, wherever that stands', async () => {
    const events = ['{"type":"response.created","a":1}', '{"a":1,"type":"response.completed"}'];
    answer = async (call) => {
      for (const event of events) await call.onChunk(chunk(event));
      return done(null);
    };
    expect(await (await ask({ stream: true })).text()).toBe(
      `event: response.created\ndata: ${events[0]}\n\nevent: response.completed\ndata: ${events[1]}\n\n`,
    );
  });

  it('ends a broken stream with a counted error event', async () => {
    answer = async (call) => {
      await call.onChunk(chunk('{"type":"response.created"}'));
      return failed;
    };
    const last = (await (await ask({ stream: true })).text()).split('\n\n').at(-2) ?? '';
    expect(last).toMatch(/^event: error\n/);
    expect(JSON.parse(last.slice(last.indexOf('{')))).toEqual({
      type: 'error',
      sequence_number: 1,
      code: null,
      message: 'out',
      param: null,
      error: { message: 'out', type: 'server_error', param: null, code: null },
    });
  });

  it('streams an answer that comes from the database', async () => {
    answer = async () => done(JSON.stringify({ id: 'resp_1', status: 'completed', output: [] }));
    const text = await (await ask({ stream: true })).text();
    expect(text.match(/^event: .*/gm)).toEqual([
      'event: response.created',
      'event: response.in_progress',
      'event: response.completed',
    ]);
  });

  it.each([
    ['previous_response_id', { previous_response_id: 'resp_1' }, 'unsupported_parameter'],
    ['conversation', { conversation: { id: 'conv_1' } }, 'unsupported_parameter'],
    ['background', { background: true }, 'unsupported_parameter'],
    [
      'input[1]',
      {
        input: [
          { role: 'user', content: 'x' },
          { type: 'item_reference', id: 'x' },
        ],
      },
      'unsupported_parameter',
    ],
    ['input', { input: undefined }, 'missing_required_parameter'],
    ['input', { input: 5 }, 'invalid_type'],
    ['input[0].role', { input: [{ role: 'nobody', content: 'x' }] }, 'invalid_value'],
    ['input[0].call_id', { input: [{ type: 'function_call_output', output: 'x' }] }, 'missing_required_parameter'],
    ['tools[0].name', { tools: [{ type: 'function', name: 'not a name' }] }, 'invalid_value'],
    ['text.format.name', { text: { format: { type: 'json_schema', schema: {} } } }, 'missing_required_parameter'],
    ['model', { model: 'unknown' }, 'model_not_found'],
  ])('refuses a request with a bad %s', async (param, body, code) => {
    const response = await ask(body);
    expect(await response.json()).toMatchObject({ error: { param, code } });
    expect(response.status).toBe(code === 'model_not_found' ? 404 : 400);
    expect(calls).toEqual([]);
  });

  it('takes null for what is not wanted', async () => {
    answer = async () => done('{}');
    const response = await ask({ previous_response_id: null, conversation: null, background: false, tools: null });
    expect(response.status).toBe(200);
  });
});

describe('POST /v1/embeddings', () => {
  it('hands the operation down, and never a stream', async () => {
    answer = async () => done('{"object":"list"}');
    const response = await ask({ stream: true, input: [[1, 2]] }, 'embeddings');
    expect(await response.json()).toEqual({ object: 'list' });
    expect(calls[0]).toMatchObject({ operation: 'embeddings', stream: false });
    expect(calls[0]?.body).not.toHaveProperty('stream');
  });

  it.each([
    ['input', { input: [] }],
    ['input', { input: '' }],
    ['dimensions', { dimensions: 0 }],
    ['encoding_format', { encoding_format: 'hex' }],
  ])('refuses a request with a bad %s', async (param, body) => {
    const response = await ask(body, 'embeddings');
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { param } });
  });
});
