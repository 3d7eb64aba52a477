import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../core/clock.ts';
import type { LaneCall, LaneOutcome } from '../../../core/lane-port.ts';
import { createLogger } from '../../../core/log.ts';
import { createKeyLane, type KeyLane, type KeyLaneOptions } from '../../../lanes/openai/key-lane.ts';
import { json, startProvider, type ProviderServer } from './provider-server.ts';

const COMPLETION = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  model: 'real-2026',
  odd_field: { kept: true },
  choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12, prompt_tokens_details: { cached_tokens: 4 } },
};

let provider: ProviderServer;
let lane: KeyLane;

const optionsFor = (baseUrl: string): KeyLaneOptions => ({
  laneId: 'lane1',
  alias: 'openai',
  baseUrl,
  apiKey: 'sk-test-0123456789',
  allowPrivateAddresses: true,
  clock: systemClock,
  log: createLogger('silent', 'test'),
});

const callWith = (rest: Partial<LaneCall> = {}): LaneCall => ({
  requestId: 'req_1',
  body: { model: 'alias', messages: [{ role: 'user', content: 'hi' }], seed: 7 },
  model: 'real',
  stream: false,
  deadlineAt: Date.now() + 30_000,
  signal: new AbortController().signal,
  onChunk: () => Promise.reject(new Error('not a stream')),
  ...rest,
});

function failureOf(outcome: LaneOutcome): Extract<LaneOutcome, { ok: false }>['failure'] {
  if (outcome.ok) throw new Error('The lane answered.');
  return outcome.failure;
}

beforeEach(async () => {
  provider = await startProvider();
  lane = createKeyLane(optionsFor(provider.baseUrl));
});

afterEach(async () => {
  await lane.close();
  await provider.close();
});

describe('createKeyLane, without streaming', () => {
  it('sends the caller’s body with the lane’s model and key, and relays the answer byte for byte', async () => {
    const text = JSON.stringify(COMPLETION, null, 1);
    provider.answerWith(json(200, text));
    expect(await lane.complete(callWith())).toEqual({
      ok: true,
      body: text,
      usage: { promptTokens: 9, cachedPromptTokens: 4, completionTokens: 3, reasoningTokens: 0 },
      ignoredParams: [],
    });
    const [seen] = provider.seen;
    expect(seen).toMatchObject({
      url: '/v1/chat/completions',
      headers: { authorization: 'Bearer sk-test-0123456789', 'content-type': 'application/json' },
    });
    expect(seen?.headers['transfer-encoding']).toBeUndefined();
    expect(seen?.body).toEqual({ model: 'real', messages: [{ role: 'user', content: 'hi' }], seed: 7 });
  });

  it('keeps a query of the base URL, the owner’s headers, and another header for the key', async () => {
    provider.answerWith(json(200, COMPLETION));
    const other = createKeyLane({
      ...optionsFor(`${provider.baseUrl}/?api-version=1`),
      headers: { 'X-Team': 'a', 'Content-Type': 'text/plain' },
      authHeader: 'Api-Key',
    });
    await other.complete(callWith());
    await other.close();
    expect(provider.seen[0]).toMatchObject({
      url: '/v1/chat/completions?api-version=1',
      headers: { 'api-key': 'sk-test-0123456789', 'x-team': 'a', 'content-type': 'application/json' },
    });
    expect(provider.seen[0]?.headers.authorization).toBeUndefined();
  });

  it('leaves an unknown usage unknown', async () => {
    provider.answerWith(json(200, { ...COMPLETION, usage: undefined }));
    expect(await lane.complete(callWith())).toMatchObject({ ok: true, usage: null });
  });

  it('uses connections again', async () => {
    provider.answerWith(json(200, COMPLETION));
    for (let calls = 0; calls < 6; calls++) await lane.complete(callWith());
    // undici takes two in turn: the one that just served is not yet back in the pool when its answer is.
    expect(new Set(provider.seen.map(({ remotePort }) => remotePort)).size).toBeLessThanOrEqual(2);
  });

  it('gives the caller’s fault back as the provider said it', async () => {
    const body = JSON.stringify({ error: { message: 'too long', type: 'invalid_request_error', param: 'messages' } });
    provider.answerWith(json(400, body));
    expect(await lane.complete(callWith())).toEqual({
      ok: false,
      failure: {
        class: 'caller_fault',
        upstreamStatus: 400,
        answerStarted: false,
        reachedUpstream: true,
        reason: expect.any(String) as string,
      },
      callerAnswer: { status: 400, body },
    });
  });

  it('makes one attempt only, and says until when to wait', async () => {
    provider.answerWith(json(429, { error: { code: 'rate_limit_exceeded' } }, { 'retry-after': '2' }));
    const failure = failureOf(await lane.complete(callWith()));
    expect(failure).toMatchObject({ class: 'rate_limited', upstreamStatus: 429 });
    expect(failure.unavailableUntil).toBeGreaterThan(Date.now());
    expect(provider.seen).toHaveLength(1);
  });

  it('does not follow a redirect', async () => {
    provider.answerWith(json(307, '', { location: `${provider.baseUrl}/elsewhere` }));
    expect(failureOf(await lane.complete(callWith()))).toMatchObject({ class: 'broken', upstreamStatus: 307 });
    expect(provider.seen).toHaveLength(1);
  });

  it.each([
    ['HTML', '<html>hello</html>'],
    ['cut JSON', JSON.stringify(COMPLETION).slice(0, 40)],
    ['an error', { error: { message: 'no' } }],
    ['bytes that are no UTF-8', null],
  ])('takes a 200 with %s as broken', async (_, body) => {
    provider.answerWith(body === null ? (response) => void response.end(Buffer.from([0x22, 0xff])) : json(200, body));
    expect(failureOf(await lane.complete(callWith()))).toMatchObject({
      class: 'broken',
      upstreamStatus: 200,
      reachedUpstream: true,
      answerStarted: false,
    });
  });

  it('takes an answer that is shorter than announced as broken', async () => {
    provider.answerWith((response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{"id"');
      setImmediate(() => response.destroy());
    });
    expect(failureOf(await lane.complete(callWith()))).toMatchObject({ class: 'broken', reachedUpstream: true });
  });

  it('stops reading a body that does not end', async () => {
    const megabyte = Buffer.alloc(1024 * 1024, ' ');
    const cut = provider.nextCut();
    provider.answerWith((response) => {
      const fill = (): void => {
        if (response.destroyed) return;
        if (response.write(megabyte)) setImmediate(fill);
        else response.once('drain', fill);
      };
      response.writeHead(200, { 'content-type': 'application/json' });
      fill();
    });
    const failure = failureOf(await lane.complete(callWith()));
    expect(failure).toMatchObject({ class: 'broken', reason: 'the provider’s answer does not end' });
    await cut;
  });

  it('classifies a refusal with an endless body by its status', async () => {
    provider.answerWith((response) => {
      response.writeHead(503);
      response.write(Buffer.alloc(2 * 1024 * 1024, 'x'));
    });
    expect(failureOf(await lane.complete(callWith()))).toMatchObject({ class: 'overloaded', upstreamStatus: 503 });
  });

  it('says that the upstream saw nothing where no connection was made', async () => {
    await provider.close();
    expect(failureOf(await lane.complete(callWith()))).toEqual({
      class: 'broken',
      answerStarted: false,
      reachedUpstream: false,
      reason: 'the provider refuses the connection',
    });
    provider = await startProvider();
  });

  it('ends with the caller, and closes the connection', async () => {
    const caller = new AbortController();
    const cut = provider.nextCut();
    provider.answerWith(() => caller.abort());
    expect(failureOf(await lane.complete(callWith({ signal: caller.signal })))).toMatchObject({
      class: 'cancelled',
      reachedUpstream: true,
    });
    await cut;
  });

  it('sends nothing for a caller who is gone already', async () => {
    const outcome = await lane.complete(callWith({ signal: AbortSignal.abort() }));
    expect(failureOf(outcome)).toMatchObject({ class: 'cancelled', reachedUpstream: false });
    expect(provider.seen).toHaveLength(0);
  });

  it('ends at the deadline when the provider hangs', async () => {
    const cut = provider.nextCut();
    provider.answerWith(() => {});
    expect(failureOf(await lane.complete(callWith({ deadlineAt: Date.now() + 200 })))).toMatchObject({
      class: 'broken',
      reason: 'no whole answer before the deadline',
      reachedUpstream: true,
    });
    await cut;
  });

  it('ends at the deadline when the provider hangs in the middle of the body', async () => {
    provider.answerWith((response) => {
      response.writeHead(200);
      response.write('{');
    });
    expect(failureOf(await lane.complete(callWith({ deadlineAt: Date.now() + 200 })))).toMatchObject({
      class: 'broken',
      upstreamStatus: 200,
    });
  });

  it('refuses to connect into a private network', async () => {
    const { port } = new URL(provider.baseUrl);
    const strict = createKeyLane({ ...optionsFor(`http://localhost:${port}/v1`), allowPrivateAddresses: false });
    expect(failureOf(await strict.complete(callWith()))).toMatchObject({
      class: 'broken',
      reachedUpstream: false,
      reason: 'the provider’s address leads into a private network',
    });
    await strict.close();
    expect(provider.seen).toHaveLength(0);
  });

  it('can not be made with an address or a key that can not be used', () => {
    expect(() => createKeyLane({ ...optionsFor('http://127.0.0.1/v1'), allowPrivateAddresses: false })).toThrow(
      'private',
    );
    expect(() => createKeyLane({ ...optionsFor(provider.baseUrl), apiKey: 'sk-a\nx: y' })).toThrow('character');
  });
});
