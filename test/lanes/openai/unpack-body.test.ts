import { gzipSync, brotliCompressSync, deflateSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../core/clock.ts';
import type { LaneCall, LaneOutcome } from '../../../core/lane-port.ts';
import { createKeyLane, type KeyLane } from '../../../lanes/openai/key-lane.ts';
import { silentLog } from '../../support/planted.ts';
import { startProvider, toEvent, type Answer, type ProviderServer } from './provider-server.ts';

const USAGE = { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 };
const choice = (more: object) => [{ index: 0, finish_reason: 'stop', ...more }];
const WHOLE = JSON.stringify({
  id: 'c',
  choices: choice({ message: { role: 'assistant', content: 'é' } }),
  usage: USAGE,
});
const STREAM = [{ id: 'c', choices: choice({ delta: { role: 'assistant', content: 'é' } }), usage: USAGE }, '[DONE]']
  .map(toEvent)
  .join('');

let provider: ProviderServer;
let lane: KeyLane;
let passedOn: string[];
beforeEach(async () => {
  passedOn = [];
  provider = await startProvider();
  lane = createKeyLane({
    laneId: 'lane1',
    alias: 'a',
    baseUrl: provider.baseUrl,
    apiKey: 'sk-test',
    headers: { 'Accept-Encoding': 'gzip' },
    allowPrivateAddresses: true,
    clock: systemClock,
    log: silentLog,
  });
});
afterEach(async () => {
  await lane.close();
  await provider.close();
});

const packed =
  (coding: string, bytes: Buffer, status = 200, type = 'application/json'): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': type, 'content-encoding': coding });
    response.end(bytes);
  };
const ask = (stream = false): Promise<LaneOutcome> => {
  const call: LaneCall = {
    requestId: 'req_1',
    body: { model: 'alias', messages: [] },
    model: 'real',
    stream,
    deadlineAt: Date.now() + 30_000,
    signal: new AbortController().signal,
    onChunk: async (chunkJson) => void passedOn.push(chunkJson),
  };
  return lane.complete(call);
};

const CODINGS: readonly (readonly [coding: string, pack: (text: string) => Buffer])[] = [
  ['gzip', gzipSync],
  ['X-GZip', gzipSync],
  ['deflate', deflateSync],
  ['br', brotliCompressSync],
  ['identity', (text) => Buffer.from(text)],
];

describe('a packed answer that nobody asked for', () => {
  it('is not asked for, whatever else the owner wants to be sent', async () => {
    provider.answerWith(packed('identity', Buffer.from(WHOLE)));
    await ask();
    expect(provider.seen[0]?.headers['accept-encoding']).toBe('identity');
  });

  it.each(CODINGS)('in %s is unpacked', async (coding, pack) => {
    provider.answerWith(packed(coding, pack(WHOLE)));
    expect(await ask()).toMatchObject({ ok: true, body: WHOLE, usage: { promptTokens: 5 } });
    provider.answerWith(packed(coding, pack(STREAM), 200, 'text/event-stream'));
    expect(await ask(true)).toMatchObject({ ok: true, usage: { promptTokens: 5 } });
    expect(passedOn).toHaveLength(1);
    provider.answerWith(packed(coding, pack('{"error":{"code":"insufficient_quota"}}'), 429));
    expect(await ask()).toMatchObject({ ok: false, failure: { class: 'window_exhausted' } });
  });

  it('is unpacked as it comes', async () => {
    let goOn: () => void = () => {};
    const first = new Promise<void>((resolve) => (goOn = resolve));
    const [begin, end] = [gzipSync(toEvent({ choices: [{ index: 0, delta: { content: 'a' } }] })), gzipSync(STREAM)];
    provider.answerWith(async (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' });
      response.write(begin);
      await first;
      response.end(end);
    });
    const outcome = lane.complete({
      requestId: 'req_1',
      body: { model: 'alias', messages: [] },
      model: 'real',
      stream: true,
      deadlineAt: Date.now() + 30_000,
      signal: new AbortController().signal,
      onChunk: async () => goOn(),
    });
    expect(await outcome).toMatchObject({ ok: true });
  });

  it('is read no further than any other when it unfolds without end', async () => {
    const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024, ' '));
    provider.answerWith(packed('gzip', bomb));
    expect(await ask()).toMatchObject({
      ok: false,
      failure: { class: 'broken', reason: expect.stringMatching(/end/) as string },
    });
    provider.answerWith(packed('gzip', bomb, 503));
    expect(await ask()).toMatchObject({ ok: false, failure: { class: 'overloaded' } });
  });

  it.each([
    ['is cut off', gzipSync(WHOLE).subarray(0, 40)],
    ['is not what it says', Buffer.from(WHOLE)],
  ])('is broken when it %s', async (_, bytes) => {
    provider.answerWith(packed('gzip', bytes));
    expect(await ask()).toMatchObject({ ok: false, failure: { class: 'broken', upstreamStatus: 200 } });
  });

  it.each(['zstd', 'gzip, br'])('in %s goes to the next lane, for here it would be paid for again', async (coding) => {
    provider.answerWith(packed(coding, Buffer.from('?')));
    expect(await ask()).toMatchObject({
      ok: false,
      failure: { class: 'unsupported', reachedUpstream: true, upstreamStatus: 200 },
    });
    provider.answerWith(packed(coding, Buffer.from('?'), 500));
    expect(await ask()).toMatchObject({ ok: false, failure: { class: 'broken', upstreamStatus: 500 } });
  });
});
