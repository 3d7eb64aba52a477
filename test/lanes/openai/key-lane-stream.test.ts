import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../core/clock.ts';
import type { LaneCall, LaneOutcome } from '../../../core/lane-port.ts';
import { createLogger } from '../../../core/log.ts';
import { createKeyLane, type KeyLane } from '../../../lanes/openai/key-lane.ts';
import { events, json, startProvider, toEvent, type ProviderServer } from './provider-server.ts';

const HEAD = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1_700_000_000, model: 'real-2026' };
const chunk = (delta: unknown, finish: string | null = null, rest = {}): Record<string, unknown> => ({
  ...HEAD,
  choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
  ...rest,
});
const USAGE = { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 };
const ROLE = chunk({ role: 'assistant', content: '' });
const TEXT = [chunk({ content: 'Hel' }), chunk({ content: 'lo' }), chunk({}, 'stop')];
const LAST = { ...HEAD, choices: [], usage: USAGE };

let provider: ProviderServer;
let lane: KeyLane;
let passedOn: string[];

const callWith = (rest: Partial<LaneCall> = {}, streamOptions?: unknown): LaneCall => ({
  requestId: 'req_1',
  body: {
    model: 'alias',
    messages: [],
    stream: true,
    ...(streamOptions === undefined ? {} : { stream_options: streamOptions }),
  },
  model: 'real',
  stream: true,
  deadlineAt: Date.now() + 30_000,
  signal: new AbortController().signal,
  onChunk: async (chunkJson) => void passedOn.push(chunkJson),
  ...rest,
});

function failureOf(outcome: LaneOutcome): Extract<LaneOutcome, { ok: false }>['failure'] {
  if (outcome.ok) throw new Error('The lane answered.');
  return outcome.failure;
}

/** Waits until a count has begun, and does not change for a while. */
async function standsStill(count: () => number): Promise<void> {
  for (let before = 0; before === 0 || before !== count();) {
    before = count();
    await new Promise((resolve) => void setTimeout(resolve, 200));
  }
}

beforeEach(async () => {
  passedOn = [];
  provider = await startProvider();
  lane = createKeyLane({
    laneId: 'lane1',
    alias: 'openai',
    baseUrl: provider.baseUrl,
    apiKey: 'sk-test-0123456789',
    allowPrivateAddresses: true,
    clock: systemClock,
    log: createLogger('silent', 'test'),
  });
});

afterEach(async () => {
  await lane.close();
  await provider.close();
});

describe('createKeyLane, streaming', () => {
  it('passes the chunks on as they are, in order, and gathers the whole answer', async () => {
    const withUsage = [ROLE, ...TEXT].map((each) => ({ ...each, usage: null }));
    provider.answerWith(events([...withUsage, LAST, '[DONE]']));
    const outcome = await lane.complete(callWith({}, { include_usage: true }));
    expect(passedOn).toEqual([...withUsage, LAST].map((each) => JSON.stringify(each)));
    expect(outcome).toMatchObject({
      ok: true,
      usage: { promptTokens: 5, cachedPromptTokens: 0, completionTokens: 2, reasoningTokens: 0 },
    });
    expect(JSON.parse(outcome.ok ? outcome.body : '')).toEqual({
      ...HEAD,
      object: 'chat.completion',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Hello', refusal: null },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: USAGE,
    });
    expect(provider.seen[0]).toMatchObject({
      headers: { accept: 'text/event-stream' },
      body: { model: 'real', stream: true, stream_options: { include_usage: true } },
    });
  });

  it('keeps the usage to itself where the caller did not ask for it', async () => {
    const withUsage = TEXT.map((each) => ({ ...each, usage: null }));
    provider.answerWith(events([ROLE, ...withUsage, LAST, '[DONE]']));
    expect(await lane.complete(callWith())).toMatchObject({ ok: true, usage: { promptTokens: 5 } });
    expect(passedOn).toEqual([ROLE, ...TEXT].map((each) => JSON.stringify(each)));
    expect(provider.seen[0]?.body['stream_options']).toEqual({ include_usage: true });
  });

  it('leaves the rest of a chunk as it is written where it takes the usage out', async () => {
    const open = '{"id":"c", "x_ext": 12345678901234567890, "10":1.0,"usage":';
    const rest =
      '{"id":"c","x_ext":12345678901234567890,"10":1.0,"choices":[{"index":0,"delta":{"content":"\\u00e9 1.0"}}]}';
    const choices = ',"choices":[{"index":0,"delta":{"content":"\\u00e9 1.0"}}]}';
    provider.answerWith(events([`${open}null${choices}`, `${open}{"total_tokens":7}${choices}`, chunk({}, 'stop')]));
    await lane.complete(callWith());
    expect(passedOn.slice(0, 2)).toEqual([rest, rest]);
  });

  it('reads a stream in odd pieces, with other line ends and comments', async () => {
    const text = `: ping\r\n\r\n${[ROLE, chunk({ content: 'žluť 😀' }), chunk({}, 'stop')].map(toEvent).join('')}data: [DONE]\r\n\r\n`;
    const bytes = Buffer.from(text.replaceAll('\n\n', '\r\n\r\n'));
    provider.answerWith(async (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (let start = 0; start < bytes.length; start += 7) {
        response.write(bytes.subarray(start, start + 7));
        await nextTurn();
      }
      response.end();
    });
    const outcome = await lane.complete(callWith());
    expect(outcome.ok && outcome.body).toContain('žluť 😀');
    expect(passedOn).toHaveLength(3);
  });

  it('is content with a provider that sends no [DONE], and with one that keeps the connection after it', async () => {
    provider.answerWith(events([ROLE, ...TEXT]));
    expect(await lane.complete(callWith())).toMatchObject({ ok: true, usage: null });
    provider.answerWith((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write([ROLE, ...TEXT, '[DONE]'].map(toEvent).join(''));
    });
    expect(await lane.complete(callWith())).toMatchObject({ ok: true });
  });

  it('uses connections again after whole streams', async () => {
    provider.answerWith(events([ROLE, ...TEXT, '[DONE]']));
    for (let calls = 0; calls < 6; calls++) await lane.complete(callWith());
    // undici takes two in turn: the one that just served is not yet back in the pool when its answer is.
    expect(new Set(provider.seen.map(({ remotePort }) => remotePort)).size).toBeLessThanOrEqual(2);
  });

  it('reads no further than the caller takes', async () => {
    const total = 200;
    const progress = { written: 0 };
    provider.answerWith(async (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (; progress.written < total; progress.written++) {
        const room = response.write(toEvent(chunk({ content: 'x'.repeat(256 * 1024) })));
        if (!room) await new Promise((resolve) => void response.once('drain', resolve));
      }
      response.end(toEvent(chunk({}, 'stop')));
    });
    let open: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const outcome = lane.complete(callWith({ onChunk: () => gate }));
    // Sockets take some megabytes of the fifty; then the provider has to wait.
    await standsStill(() => progress.written);
    expect(progress.written).toBeLessThan(total);
    open();
    expect((await outcome).ok).toBe(true);
    expect(progress.written).toBe(total);
  });

  it('holds back what has no content, so that another lane can take over', async () => {
    provider.answerWith(
      events([{ ...HEAD, choices: [], prompt_filter_results: [] }, ROLE, { error: { message: 'no' } }]),
    );
    expect(failureOf(await lane.complete(callWith()))).toMatchObject({ class: 'broken', answerStarted: false });
    expect(passedOn).toEqual([]);
  });

  it.each<[string, readonly unknown[]]>([
    ['an error', [ROLE, TEXT[0], { error: { message: 'no', code: 'server_error' } }, '[DONE]']],
    ['a chunk that is no JSON', [ROLE, TEXT[0], '{"id":']],
    ['a chunk of another kind', [ROLE, TEXT[0], { type: 'response.created' }]],
    ['an end without a finish_reason', [ROLE, TEXT[0]]],
    ['a [DONE] without a finish_reason', [ROLE, TEXT[0], '[DONE]']],
    ['a provider that gives up', [ROLE, TEXT[0], chunk({}, 'error'), '[DONE]']],
  ])('takes a stream with %s as broken once it has started', async (_, data) => {
    provider.answerWith(events(data));
    expect(failureOf(await lane.complete(callWith()))).toMatchObject({
      class: 'broken',
      answerStarted: true,
      reachedUpstream: true,
      upstreamStatus: 200,
    });
    expect(passedOn).toEqual([ROLE, TEXT[0]].map((each) => JSON.stringify(each)));
  });

  it('takes a connection that is lost in the middle as broken', async () => {
    provider.answerWith(async (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(toEvent(TEXT[0]));
      await nextTurn();
      response.socket?.destroy();
    });
    const failure = failureOf(await lane.complete(callWith()));
    expect(failure.class).toBe('broken');
  });

  it.each([
    ['an HTML page', json(200, '<html></html>', { 'content-type': 'text/html' })],
    ['an error as JSON', json(200, { error: { message: 'no' } })],
    ['nothing', events([])],
    ['only [DONE]', events(['[DONE]'])],
  ])('takes %s instead of a stream as broken', async (_, answer) => {
    provider.answerWith(answer);
    expect(failureOf(await lane.complete(callWith()))).toMatchObject({ class: 'broken', answerStarted: false });
  });

  it('classifies a refusal as without streaming', async () => {
    provider.answerWith(json(401, { error: { code: 'invalid_api_key' } }));
    expect(failureOf(await lane.complete(callWith()))).toMatchObject({ class: 'unauthorized', answerStarted: false });
  });

  it('ends with the caller in the middle, and closes the connection', async () => {
    const caller = new AbortController();
    const cut = provider.nextCut();
    provider.answerWith((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(toEvent(TEXT[0]));
    });
    const onChunk = async (): Promise<void> => caller.abort();
    expect(failureOf(await lane.complete(callWith({ signal: caller.signal, onChunk })))).toMatchObject({
      class: 'cancelled',
      answerStarted: true,
    });
    await cut;
  });

  it('ends at the deadline though the caller’s connection is stuck', async () => {
    provider.answerWith(events([ROLE, ...TEXT, '[DONE]']));
    const onChunk = (): Promise<void> => new Promise(() => {});
    expect(failureOf(await lane.complete(callWith({ onChunk, deadlineAt: Date.now() + 200 })))).toMatchObject({
      class: 'broken',
      answerStarted: true,
    });
  });

  it('does not blame the provider when a chunk can not be passed on', async () => {
    provider.answerWith(events([ROLE, ...TEXT, '[DONE]']));
    const onChunk = (): Promise<void> => Promise.reject(new Error('gone'));
    expect(failureOf(await lane.complete(callWith({ onChunk })))).toMatchObject({ class: 'cancelled' });
  });
});
