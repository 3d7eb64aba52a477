import { describe, expect, it } from 'vitest';
import type { Operation } from '../../../core/lane-port.ts';
import { chargeOf } from '../../../lanes/prices/charge.ts';
import { lanePrices, meterOf } from '../../../lanes/prices/lane-prices.ts';
import { mostCost } from '../../../lanes/prices/most-cost.ts';
import { outputLimit } from '../../../lanes/prices/output-limits.ts';
import { plantFailure } from '../../support/planted.ts';

/** A dollar a million tokens of input, ten of output: micros are then tokens, and ten times tokens. */
const own = lanePrices({ prices: [{ model: 'own', inputUsd: 1, cachedInputUsd: 0.5, outputUsd: 10 }] });
const most = (body: Record<string, unknown>, operation: Operation = 'chat', model = 'own'): number | null =>
  mostCost(own, { operation, body, bodyText: JSON.stringify(body), model });
const bytes = (body: object): number => Buffer.byteLength(JSON.stringify(body));

describe('what a request may cost at most', () => {
  it.each([
    [{ messages: [], max_completion_tokens: 5 }, 'chat', 5],
    [{ messages: [], max_tokens: 7 }, 'chat', 7],
    [{ messages: [], max_completion_tokens: 5, max_tokens: 7 }, 'chat', 5],
    [{ messages: [], max_tokens: 7, n: 3 }, 'chat', 21],
    [{ messages: [], max_tokens: 7, prediction: { content: 'ü' } }, 'chat', 7 + bytes({ content: 'ü' })],
    [{ input: 'a', max_output_tokens: 9 }, 'responses', 9],
    [{ input: 'ü' }, 'embeddings', 0],
    [{ messages: [] }, 'chat', outputLimit('own')],
    [{ messages: [], max_tokens: 'many' }, 'chat', outputLimit('own')],
    [{ messages: [], max_tokens: 0 }, 'chat', outputLimit('own')],
  ] as const)('is a token a byte, and the answer that is asked for: %j', (body, operation, answer) => {
    expect(most(body, operation)).toBe(bytes(body) + answer * 10);
  });

  it('counts images and files that are only named', () => {
    const image = { messages: [{ content: [{ type: 'image_url', image_url: { url: 'https://a' } }] }], max_tokens: 1 };
    expect(most(image)).toBe(bytes(image) + 50_000 + 10);
    const file = { input: [{ type: 'input_file', file_id: 'file-1' }], max_output_tokens: 1 };
    expect(most(file, 'responses')).toBe(bytes(file) + 1_100_000 + 10);
  });

  it('counts files that are in the body, which may be packed, as those that are only named', () => {
    const ofChat = {
      messages: [{ content: [{ type: 'file', file: { file_data: 'data:application/pdf;base64,JVBE' } }] }],
    };
    expect(most({ ...ofChat, max_tokens: 1 })).toBe(bytes({ ...ofChat, max_tokens: 1 }) + 1_100_000 + 10);
    const ofResponses = { input: [{ type: 'input_file', file_data: 'JVBE' }], max_output_tokens: 1 };
    expect(most(ofResponses, 'responses')).toBe(bytes(ofResponses) + 1_100_000 + 10);
  });

  it('is never less than what a cached prompt costs', () => {
    const dear = lanePrices({ prices: [{ model: 'own', inputUsd: 1, cachedInputUsd: 3, outputUsd: 0 }] });
    const body = { input: 'a' };
    expect(mostCost(dear, { operation: 'embeddings', body, bodyText: JSON.stringify(body), model: 'own' })).toBe(
      3 * bytes(body),
    );
  });

  it('is unknown where the price is', () => {
    expect(most({ messages: [] }, 'chat', 'nobody-knows')).toBeNull();
  });

  it.each(['auto', 'default', 'flex'])('is what is listed at the tier %s', (service_tier) => {
    const body = { messages: [], max_tokens: 1, service_tier };
    expect(most(body)).toBe(bytes(body) + 10);
  });

  it.each(['priority', 'scale'])('is unknown at the tier %s, unless the owner has given its price', (service_tier) => {
    const body = { messages: [], max_tokens: 1, service_tier };
    expect(most(body)).toBeNull();
    const atTier = (usd: number): number | null => {
      const tier = { model: `own@${service_tier}`, inputUsd: usd, cachedInputUsd: usd, outputUsd: usd * 10 };
      const prices = lanePrices({ prices: [{ model: 'own', inputUsd: 1, cachedInputUsd: 1, outputUsd: 10 }, tier] });
      return mostCost(prices, { operation: 'chat', body, bodyText: JSON.stringify(body), model: 'own' });
    };
    expect(atTier(2)).toBe(2 * (bytes(body) + 10));
    // The provider may serve it at the usual tier.
    expect(atTier(0.5)).toBe(bytes(body) + 10);
  });
});

describe('meterOf', () => {
  const free = lanePrices({ prices: [{ model: 'mine', inputUsd: 0, cachedInputUsd: 0, outputUsd: 0 }] });
  it.each([
    [free, 'mine', 'free'],
    [free, 'gpt-5.5', 'priced'],
    [lanePrices(null), 'gpt-5.5', 'priced'],
    [lanePrices(null), 'llama', 'unknown'],
  ] as const)('tells what costs money', (prices, model, meter) => {
    expect(meterOf(prices, model)).toBe(meter);
  });
});

describe('what an attempt counts as spent', () => {
  const answered = { ok: true, body: '{}', usage: null, ignoredParams: [] } as const;
  const failed = (failureClass: Parameters<typeof plantFailure>[0], given = {}) =>
    ({ ok: false, failure: plantFailure(failureClass, given) }) as const;
  it.each([
    ['an answer of a known cost', answered, 30, 30],
    ['an answer that cost more than was held', answered, 130, 130],
    ['an answer without usage', answered, null, 100],
    ['a call that never left', failed('lane_unavailable', { reachedUpstream: false }), null, 0],
    ['a refused connection', failed('broken', { reachedUpstream: false }), null, 0],
    ['an HTTP error', failed('overloaded', { upstreamStatus: 503 }), null, 0],
    ['a refusal of the request', failed('caller_fault'), null, 0],
    ['a limit that is told inside a 200', failed('rate_limited', { upstreamStatus: 200 }), null, 0],
    ['one that is told behind the begin of an answer', failed('rate_limited', { mayBeBilled: true }), null, 100],
    ['a refusal in the middle of the answer', failed('caller_fault', { mayBeBilled: true }), null, 100],
    ['a connection that was lost on the way', failed('broken'), null, 100],
    ['a broken answer', failed('broken', { upstreamStatus: 200 }), null, 100],
    ['a call that was cancelled on the way', failed('cancelled'), null, 100],
    ['a lost process', failed('process_lost'), null, 100],
  ] as const)('is known or feared for %s', (_what, outcome, cost, charge) => {
    expect(chargeOf(outcome, 100, cost)).toBe(charge);
  });
});
