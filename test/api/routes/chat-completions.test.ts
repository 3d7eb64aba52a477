import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { CallerGone, type CompletionCall, type RunCompletion } from '../../../api/completions/run-completion.ts';
import type { ReplyEnd } from '../../../core/reply.ts';
import { ApiError } from '../../../core/errors.ts';
import { APP_KEY, createApiWorld, type ApiWorld } from '../../support/api-world.ts';
import { plantLaneDoc } from '../../support/planted.ts';
import { PATIENT } from '../../support/patience.ts';

const meta = {
  laneId: 'k',
  laneAlias: 'meter',
  attempts: 2,
  costMicros: 12,
  meterMicros: 345_678,
  ignoredParams: ['seed', 'naïve\r\nx: y'],
};
const completion = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'm',
  choices: [
    { index: 0, message: { role: 'assistant', content: 'hi', refusal: null }, logprobs: null, finish_reason: 'stop' },
  ],
  usage: null,
};
const whole: ReplyEnd = { type: 'done', body: JSON.stringify(completion), meta };
const streamed: ReplyEnd = { type: 'done', body: null, meta };
const failed: ReplyEnd = {
  type: 'failed',
  status: 429,
  body: '{"error":{"message":"out","type":"t","param":null,"code":"c"}}',
  attempts: 3,
  retryAfterMs: 2_000,
  shouldRetry: false,
};

let api: ApiWorld;
let url: string;
let calls: CompletionCall[];
beforeAll(async () => {
  api = await createApiWorld();
  url = await api.publicApp.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(() => api.close());
beforeEach(() => {
  calls = [];
  api.world.lanes = [plantLaneDoc('k', { models: ['m'] })];
});

const plant = (run: RunCompletion): void => {
  api.world.runCompletion = (call) => {
    calls.push(call);
    return run(call);
  };
};
const chunk = (json: string) => ({ type: 'chunk', json, laneId: 'k', laneAlias: 'meter', attempts: 2 }) as const;
const ask = (more: object = {}, model = 'm'): Promise<Response> =>
  fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${APP_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'hi' }], ...more }),
  });

describe('a completion that is not streamed', () => {
  it('is the lane’s answer, with what the call says of itself', async () => {
    plant(async () => whole);
    const response = await ask();
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual(completion);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': expect.stringContaining('application/json') as string,
      'x-flatlane-lane': 'k',
      'x-flatlane-account': 'meter',
      'x-flatlane-attempts': '2',
      'x-flatlane-cost-usd': '0.000012',
      'x-flatlane-meter-usd': '0.345678',
      'x-flatlane-ignored-params': 'seed, na?ve??x: y',
    });
    expect(calls[0]).toMatchObject({ keyId: 'key_app', model: 'm', stream: false, plan: [{ laneId: 'k' }] });
    expect(response.headers.get('x-request-id')).toBe(calls[0]?.requestId);
  });

  it('leaves out what is unknown', async () => {
    plant(async () => ({ ...whole, meta: { ...meta, costMicros: null, meterMicros: null, ignoredParams: [] } }));
    const names = [...(await ask()).headers.keys()].filter((name) => name.startsWith('x-flatlane'));
    expect(names).toEqual(['x-flatlane-account', 'x-flatlane-attempts', 'x-flatlane-lane']);
  });

  it('is the failure as it is, with the headers by which clients decide', async () => {
    plant(async () => failed);
    const response = await ask();
    expect(response.status).toBe(429);
    expect(await response.text()).toBe(failed.body);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'retry-after': '2',
      'x-should-retry': 'false',
      'x-flatlane-attempts': '3',
    });
  });

  it.each([
    { title: 'an unknown model', lanes: [], status: 404, code: 'model_not_found', param: 'model' },
    {
      title: 'lanes that are for others',
      lanes: [plantLaneDoc('p', { kind: 'plan' })],
      status: 403,
      code: 'insufficient_permissions',
      param: null,
    },
    {
      title: 'lanes that are closed',
      lanes: [plantLaneDoc('k', { state: 'needs_key' })],
      status: 503,
      code: 'server_is_overloaded',
      param: null,
    },
    {
      title: 'lanes that are out',
      lanes: [plantLaneDoc('k', { state: 'cooling', until: Date.now() + 3_600_000 })],
      status: 429,
      code: 'usage_limit_reached',
      param: null,
    },
    {
      title: 'lanes of which the first that comes back recovers from failures',
      lanes: [
        plantLaneDoc('k', { state: 'unhealthy', until: Date.now() + 30_000 }),
        plantLaneDoc('l', { state: 'cooling', until: Date.now() + 3_600_000 }),
      ],
      status: 503,
      code: 'server_is_overloaded',
      param: null,
    },
    {
      title: 'a lane that pauses for a rate limit',
      lanes: [plantLaneDoc('k', { state: 'cooling', until: Date.now() + 8_000, backsOff: true })],
      status: 503,
      code: 'server_is_overloaded',
      param: null,
    },
    {
      title: 'lanes of which the first that comes back is out of its window',
      lanes: [
        plantLaneDoc('k', { state: 'unhealthy', until: Date.now() + 30_000 }),
        plantLaneDoc('l', { state: 'cooling', until: Date.now() + 10_000 }),
      ],
      status: 429,
      code: 'usage_limit_reached',
      param: null,
    },
  ])('is refused without a workflow for $title', async ({ lanes, status, code, param }) => {
    plant(async () => whole);
    await vi.waitFor(async () => {
      api.world.lanes = lanes;
      const response = await ask();
      expect(response.status).toBe(status);
      expect(await response.json()).toMatchObject({ error: { code, param } });
    }, PATIENT);
    calls = [];
    await ask();
    expect(calls).toEqual([]);
  });
});

describe('a completion that is streamed', () => {
  beforeEach(async () => {
    // The picture of the lanes may be a quarter second old.
    plant(async () => whole);
    await vi.waitFor(async () => expect((await ask()).status).toBe(200), PATIENT);
    calls = [];
  });

  it('is its chunks as events, then [DONE], with the lane in the headers', async () => {
    plant(async (call) => {
      await call.onChunk(chunk('{"n":1}'));
      await call.onChunk(chunk('{\n  "n": 2\r\n}'));
      return streamed;
    });
    const response = await ask({ stream: true });
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-flatlane-lane': 'k',
      'x-flatlane-attempts': '2',
      'x-request-id': calls[0]?.requestId ?? '',
    });
    expect(await response.text()).toBe('data: {"n":1}\n\ndata: {\ndata:   "n": 2\ndata: }\n\ndata: [DONE]\n\n');
    expect(calls[0]?.stream).toBe(true);
  });

  it('is a plain error when nothing was sent before it', async () => {
    plant(async () => failed);
    const response = await ask({ stream: true });
    expect(response.status).toBe(429);
    expect(response.headers.get('content-type')).toContain('application/json');
    expect(await response.text()).toBe(failed.body);
  });

  it('ends with an error event and without [DONE] when it fails after the first byte', async () => {
    plant(async (call) => {
      await call.onChunk(chunk('{"n":1}'));
      return failed;
    });
    expect(await (await ask({ stream: true })).text()).toBe(`data: {"n":1}\n\ndata: ${failed.body}\n\n`);
  });

  it('does so too when something breaks in this process, and says nothing of it', async () => {
    plant(async (call) => {
      await call.onChunk(chunk('{"n":1}'));
      throw new Error('mongodb://user:password@host');
    });
    const text = await (await ask({ stream: true })).text();
    expect(text).not.toContain('[DONE]');
    expect(text).not.toContain('password');
    expect(JSON.parse(text.split('data: ')[2] ?? '')).toMatchObject({ error: { type: 'server_error', code: null } });
  });

  it('is never taken as whole when its end comes from the database after a part was sent', async () => {
    plant(async (call) => {
      await call.onChunk(chunk('{"n":1}'));
      return whole;
    });
    const text = await (await ask({ stream: true })).text();
    expect(text).not.toContain('[DONE]');
    expect(text).toContain('"error"');
  });

  it('is streamed from the database when the reply channel was silent', async () => {
    plant(async () => whole);
    const events = (await (await ask({ stream: true, stream_options: { include_usage: true } })).text())
      .trim()
      .split('\n\n');
    expect(events).toHaveLength(4);
    expect(events[0]).toContain('"content":"hi"');
    expect(events.at(-1)).toBe('data: [DONE]');
  });

  it('holds the sender up while the caller does not read, without a listener for each chunk', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on('warning', onWarning);
    const size = 256 * 1024;
    let sent = 0;
    plant(async (call) => {
      for (; sent < 100; sent += 1) await call.onChunk(chunk(JSON.stringify('x'.repeat(size))));
      return streamed;
    });
    const response = await ask({ stream: true });
    const reader = response.body!.getReader();
    await reader.read();
    expect(sent).toBeLessThan(100);
    let bytes = 0;
    for (let step = await reader.read(); !step.done; step = await reader.read()) bytes += step.value.length;
    expect(bytes).toBeGreaterThan(98 * size);
    process.off('warning', onWarning);
    // Others are of what else goes on in this process.
    expect(warnings.filter(({ name }) => name === 'MaxListenersExceededWarning')).toEqual([]);
  });
});

describe('a caller who goes away', () => {
  it.each([true, false])('ends the completion (streamed: %s)', async (stream) => {
    let gone = false;
    plant(
      (call) =>
        new Promise((_, reject) => {
          call.signal.addEventListener('abort', () => {
            gone = true;
            reject(new CallerGone());
          });
          if (stream) void call.onChunk(chunk('{}'));
        }),
    );
    const leaving = httpRequest(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${APP_KEY}`, 'content-type': 'application/json' },
    });
    leaving.on('error', () => undefined);
    leaving.end(JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], stream }));
    await vi.waitFor(() => expect(calls).toHaveLength(1), PATIENT);
    leaving.destroy();
    await vi.waitFor(() => expect(gone).toBe(true), PATIENT);
  });

  it('gets a plain error for what breaks before the answer', async () => {
    plant(() => Promise.reject(new ApiError('server_is_overloaded', 'Later.', { retryAfterMs: 1_000 })));
    const response = await ask({ stream: true });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
  });
});
