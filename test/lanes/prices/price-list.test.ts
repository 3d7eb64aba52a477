import { describe, expect, it } from 'vitest';
import type { TokenUsage } from '../../../core/lane-port.ts';
import { createPriceList } from '../../../lanes/prices/price-list.ts';
import { MODEL_ALIASES, PRICE_TABLE } from '../../../lanes/prices/price-table.ts';

const prices = createPriceList();
const usageOf = (promptTokens: number, cachedPromptTokens: number, completionTokens: number): TokenUsage => ({
  promptTokens,
  cachedPromptTokens,
  completionTokens,
  reasoningTokens: 0,
});

describe('createPriceList', () => {
  it.each([
    ['input and output', 'gpt-5.5', usageOf(1000, 0, 500), 20_000],
    ['cached input at its own price', 'gpt-5.5', usageOf(1000, 400, 500), 18_200],
    ['a price below a millionth for a token', 'gpt-5.4-mini', usageOf(3, 1, 0), 2],
    ['half a millionth as a whole one', 'gpt-6-luna', usageOf(5, 0, 0), 1],
    ['less than half a millionth as none', 'gpt-6-luna', usageOf(4, 0, 0), 0],
    ['no tokens as nothing', 'gpt-5', usageOf(0, 0, 0), 0],
    ['the limit of the short context still as short', 'gpt-6.1-sol', usageOf(272_000, 0, 1000), 554_000],
    ['a long context as long in whole', 'gpt-6.1-sol', usageOf(272_001, 1, 1000), 1_103_000],
    ['a whole window without losing a millionth', 'gpt-6-astra', usageOf(1_050_000, 0, 128_000), 30_600_000],
  ])('counts %s', (_, model, usage, micros) => {
    expect(prices.costMicros(model, usage)).toBe(micros);
  });

  it.each([
    ['gpt-6-astra-2026-09-03', 'gpt-6-astra'],
    ['openai/gpt-5-mini', 'gpt-5-mini'],
    ['openai/gpt-5-mini-2025-08-07', 'gpt-5-mini'],
    ['gpt-5.6', 'gpt-5.6-sol'],
  ])('takes the price of %s from %s', (model, base) => {
    expect(prices.priceOf(model)).toBe(PRICE_TABLE[base]);
  });

  it('takes a dated model with a price of its own before its base model', () => {
    expect(prices.priceOf('gpt-4o-2024-05-13')?.inputUsd).toBe(5);
    expect(prices.priceOf('gpt-4o-2024-08-06')?.inputUsd).toBe(2.5);
  });

  it.each(['gpt-99', 'anthropic/gpt-5', 'gpt-5-2025', '', 'constructor', '__proto__'])(
    'does not know what %j costs',
    (model) => {
      expect(prices.costMicros(model, usageOf(1, 0, 1))).toBeNull();
    },
  );

  it('does not know the cost of an unknown usage', () => {
    expect(prices.costMicros('gpt-5', null)).toBeNull();
  });

  it('does not know the cost of a usage that makes no sense', () => {
    expect(prices.costMicros('gpt-5', usageOf(-1, 0, 1))).toBeNull();
    expect(prices.costMicros('gpt-5', usageOf(1, 0, Number.NaN))).toBeNull();
  });

  it('lets the owner add a model and correct a price', () => {
    const own = { inputUsd: 1, cachedInputUsd: 1, outputUsd: 1, source: 'my contract', readOn: '2026-11-01' };
    const list = createPriceList({ 'llama-4': own, 'gpt-5': own });
    expect(list.costMicros('llama-4', usageOf(10, 0, 10))).toBe(20);
    expect(list.costMicros('gpt-5-2025-08-07', usageOf(10, 0, 10))).toBe(20);
  });
});

describe('a service tier with a price of its own', () => {
  const usage = usageOf(10, 0, 10);
  const price = (usd: number) => ({ inputUsd: usd, cachedInputUsd: usd, outputUsd: usd, source: 'me', readOn: '' });

  it('costs nobody knows what, until the owner says it', () => {
    const list = createPriceList({ 'gpt-5@priority': price(2) });
    expect(prices.costMicros('gpt-5', { ...usage, serviceTier: 'priority' })).toBeNull();
    expect(list.costMicros('openai/gpt-5-2025-08-07', { ...usage, serviceTier: 'priority' })).toBe(40);
    expect(list.costMicros('gpt-5', { ...usage, serviceTier: 'scale' })).toBeNull();
    expect(list.costMicros('gpt-5', usage)).toBe(prices.costMicros('gpt-5', usage));
  });

  it('costs nothing where the model costs nothing', () => {
    expect(createPriceList({ mine: price(0) }).costMicros('mine', { ...usage, serviceTier: 'priority' })).toBe(0);
  });
});

describe('PRICE_TABLE', () => {
  it.each(Object.entries(PRICE_TABLE))('has sound prices for %s', (_, price) => {
    for (const tier of [price, ...(price.longContext === undefined ? [] : [price.longContext])]) {
      expect(tier.cachedInputUsd).toBeGreaterThan(0);
      expect(tier.cachedInputUsd).toBeLessThanOrEqual(tier.inputUsd);
      expect(tier.inputUsd).toBeLessThan(tier.outputUsd);
    }
    expect(price.readOn).toMatch(/^\d{4}-\d{2}-\d{2}$/);
    expect(URL.canParse(price.source)).toBe(true);
  });

  it('has every model that an alias leads to', () => {
    expect(Object.values(MODEL_ALIASES).every((model) => Object.hasOwn(PRICE_TABLE, model))).toBe(true);
  });
});
