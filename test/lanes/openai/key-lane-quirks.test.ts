import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../core/clock.ts';
import type { LaneCall } from '../../../core/lane-port.ts';
import { createKeyLane, type KeyLane, type KeyLaneOptions } from '../../../lanes/openai/key-lane.ts';
import { openKeyLane } from '../../../lanes/openai/open-key-lane.ts';
import { silentLog } from '../../support/planted.ts';
import { events, json, startProvider, type ProviderServer } from './provider-server.ts';

const USAGE = { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 };
const COMPLETION = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1_700_000_000,
  model: 'real-2026',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hello' }, logprobs: null, finish_reason: 'stop' }],
  usage: USAGE,
};
const CHUNK = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'real' };

let provider: ProviderServer;
let open: KeyLane[];
let passedOn: string[];

const laneWith = (more: Partial<KeyLaneOptions>): KeyLane => {
  const base = { laneId: 'lane1', alias: 'a', apiKey: 'sk-test', allowPrivateAddresses: true };
  const lane = createKeyLane({ ...base, baseUrl: provider.baseUrl, clock: systemClock, log: silentLog, ...more });
  open.push(lane);
  return lane;
};

const call = (more: Partial<LaneCall> = {}): LaneCall => ({
  requestId: 'req_1',
  body: { model: 'alias', messages: [], stream: true },
  model: 'real',
  stream: true,
  deadlineAt: Date.now() + 30_000,
  signal: new AbortController().signal,
  onChunk: async (chunkJson) => void passedOn.push(chunkJson),
  ...more,
});

beforeEach(async () => {
  [open, passedOn] = [[], []];
  provider = await startProvider();
});
afterEach(async () => {
  await Promise.all(open.map((lane) => lane.close()));
  await provider.close();
});

describe('a provider with quirks', () => {
  it('is not asked for usage where it refuses the question, and its usage is taken when it comes', async () => {
    provider.answerWith(
      events([
        { ...CHUNK, choices: [{ index: 0, delta: { role: 'assistant', content: 'Hi' }, finish_reason: null }] },
        { ...CHUNK, choices: [{ index: 0, delta: { content: '' }, finish_reason: 'stop' }], usage: USAGE },
        '[DONE]',
      ]),
    );
    const outcome = await laneWith({ quirks: { refusesStreamOptions: true } }).complete(call());
    expect(provider.seen[0]?.body).toEqual({ model: 'real', messages: [], stream: true });
    expect(outcome).toMatchObject({ ok: true, usage: { promptTokens: 5, completionTokens: 2 } });
    expect(passedOn.some((chunk) => chunk.includes('usage'))).toBe(false);
  });

  it('that can’t do a parameter is not asked at all', async () => {
    const lane = laneWith({ quirks: { unsupportedParams: ['logprobs'] } });
    const outcome = await lane.complete(call({ body: { messages: [], logprobs: true } }));
    expect(outcome).toMatchObject({
      ok: false,
      failure: { class: 'unsupported', param: 'logprobs', reachedUpstream: false },
    });
    expect(provider.seen).toEqual([]);
  });

  it.each([
    ['says', { service_tier: 'priority' }, {}, 'priority'],
    ['is asked for and does not contradict', {}, { service_tier: 'priority' }, 'priority'],
    ['does not serve though it was asked for', { service_tier: 'default' }, { service_tier: 'priority' }, undefined],
  ])('that has tiers has its usage at the tier that it %s', async (_, said, asked, tier) => {
    const ends = [
      { ...CHUNK, service_tier: 'auto', choices: [{ index: 0, delta: { content: 'Hi' }, finish_reason: null }] },
      { ...CHUNK, ...said, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], usage: USAGE },
    ];
    if (Object.keys(said).length === 0) delete (ends[0] as { service_tier?: string }).service_tier;
    const response = { object: 'response', output: [], usage: { input_tokens: 1, output_tokens: 1 }, ...said };
    const body = { model: 'alias', messages: [], ...asked };
    const lane = laneWith({});
    const tierOf = async (more: Partial<LaneCall>): Promise<string | undefined> => {
      const outcome = await lane.complete(call({ body, ...more }));
      if (!outcome.ok || outcome.usage === null) throw new Error('no answer');
      return outcome.usage.serviceTier;
    };
    provider.answerWith(events([...ends, '[DONE]']));
    expect(await tierOf({})).toBe(tier);
    provider.answerWith(json(200, { ...COMPLETION, ...said }));
    expect(await tierOf({ stream: false })).toBe(tier);
    provider.answerWith(json(200, response));
    expect(await tierOf({ stream: false, operation: 'responses' })).toBe(tier);
    provider.answerWith(events([{ type: 'response.completed', response }]));
    expect(await tierOf({ operation: 'responses' })).toBe(tier);
  });

  it('that answers a stream with a whole completion becomes a stream', async () => {
    provider.answerWith(json(200, COMPLETION));
    const outcome = await laneWith({}).complete(call());
    expect(outcome).toMatchObject({ ok: true, usage: { promptTokens: 5 } });
    const chunks = passedOn.map(
      (chunk) => JSON.parse(chunk) as { choices: { delta: object; finish_reason: unknown }[] },
    );
    expect(chunks.map(({ choices }) => choices[0]?.delta)).toEqual([{ role: 'assistant', content: 'Hello' }, {}]);
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('stop');
    expect(passedOn.some((chunk) => chunk.includes('"usage"'))).toBe(false);
  });

  it('passes the usage of a whole completion on to a caller who asked for it', async () => {
    provider.answerWith(json(200, COMPLETION));
    await laneWith({}).complete(call({ body: { messages: [], stream_options: { include_usage: true } } }));
    expect(JSON.parse(passedOn.at(-1) ?? '')).toMatchObject({ choices: [], usage: USAGE });
  });

  it('that answers a stream with an error in JSON has sent the caller nothing', async () => {
    provider.answerWith(json(200, { error: { message: 'no' } }));
    const outcome = await laneWith({}).complete(call());
    expect(outcome).toMatchObject({ ok: false, failure: { class: 'broken', answerStarted: false } });
    expect(passedOn).toEqual([]);
  });

  it('whose address has no path is asked at the right one', async () => {
    provider.answerWith(json(200, COMPLETION));
    await laneWith({ baseUrl: new URL(provider.baseUrl).origin }).complete(call({ stream: false }));
    expect(provider.seen[0]?.url).toBe('/chat/completions');
  });

  it('keeps the version in the query of its address', async () => {
    provider.answerWith(json(200, COMPLETION));
    await laneWith({ baseUrl: `${provider.baseUrl}?api-version=2026-01-01`, authHeader: 'api-key' }).complete(
      call({ stream: false }),
    );
    expect(provider.seen[0]?.url).toBe('/v1/chat/completions?api-version=2026-01-01');
    expect(provider.seen[0]?.headers['api-key']).toBe('sk-test');
    expect(provider.seen[0]?.headers.authorization).toBeUndefined();
  });
});

describe('a stored key lane', () => {
  const stored = (settings: object | null) => ({
    _id: 'lane1',
    alias: 'a',
    baseUrl: provider.baseUrl,
    sealedKey: 'sealed:sk-stored',
    allowPrivateAddresses: true,
    keySettings:
      settings === null
        ? null
        : { preset: null, authHeader: 'authorization', sealedHeaders: null, prices: [], ...settings },
  });
  const unseal = (sealed: string): string => sealed.replace('sealed:', '');
  const opened = (settings: object | null) => {
    const lane = openKeyLane(
      { openKey: unseal, openHeaders: unseal, clock: systemClock, log: silentLog },
      stored(settings),
    );
    open.push(lane.lane);
    return lane;
  };

  it('is opened with its headers, and none of them replaces what the request needs', async () => {
    provider.answerWith(json(200, COMPLETION));
    const sealedHeaders = `sealed:${JSON.stringify({ 'X-Title': 'mine', Authorization: 'Bearer other' })}`;
    await opened({ sealedHeaders }).lane.complete(call({ stream: false }));
    expect(provider.seen[0]?.headers).toMatchObject({ 'x-title': 'mine', authorization: 'Bearer sk-stored' });
  });

  it('is opened with the quirks of its preset', async () => {
    const outcome = await opened({ preset: 'groq' }).lane.complete(
      call({ body: { messages: [], logit_bias: { 1: 2 } } }),
    );
    expect(outcome).toMatchObject({ failure: { class: 'unsupported', param: 'logit_bias' } });
  });

  it('has its own prices before those of the table, and none where its owner set none', () => {
    const usage = { promptTokens: 1_000_000, cachedPromptTokens: 0, completionTokens: 0, reasoningTokens: 0 };
    const prices = [{ model: 'gpt-5.4', inputUsd: 1, cachedInputUsd: 1, outputUsd: 1 }];
    expect(opened({ prices }).costMicros?.('gpt-5.4', usage)).toBe(1_000_000);
    expect(opened({ prices }).costMicros?.('gpt-5.5', usage)).toBe(10_000_000);
    expect(opened({}).costMicros).toBeUndefined();
    expect(opened(null).costMicros).toBeUndefined();
  });

  it('that lacks its key is refused', () => {
    const deps = { openKey: unseal, openHeaders: unseal, clock: systemClock, log: silentLog };
    expect(() => openKeyLane(deps, { ...stored(null), sealedKey: null })).toThrow(/no address or no key/);
  });
});
