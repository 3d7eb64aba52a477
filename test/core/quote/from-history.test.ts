import { describe, expect, it } from 'vitest';
import { ENOUGH_ANSWERS, lineDurationMs, outputTokens } from '../../../core/quote/from-history.ts';
import { createLineMeasure, type ModelMeasure } from '../../../core/quote/measure-lines.ts';

const measure = (given: Partial<ModelMeasure> = {}): ModelMeasure => ({
  model: 'm',
  lines: 100,
  promptTokens: { low: 1, high: 2 },
  attachments: 0,
  limitedLines: 0,
  limitTokens: 0,
  tiers: {},
  ...given,
});
const times = (count: number, value: number): number[] => Array.from({ length: count }, () => value);

describe('output tokens', () => {
  it('are measured where there are enough answers, with a margin', () => {
    const { basis, low, high } = outputTokens(measure(), times(ENOUGH_ANSWERS, 200));
    expect([basis, Math.round(low), Math.round(high)]).toEqual(['measured', 18_000, 22_000]);
  });

  it('have a wider range the more the answers differ', () => {
    const steady = outputTokens(measure(), times(40, 200));
    const mixed = outputTokens(measure(), [...times(20, 10), ...times(20, 390)]);
    expect(mixed.high - mixed.low).toBeGreaterThan(2 * (steady.high - steady.low));
    expect(mixed.low).toBeGreaterThanOrEqual(0);
  });

  it('are assumed with one answer less', () => {
    expect(outputTokens(measure(), times(ENOUGH_ANSWERS - 1, 200))).toEqual({
      low: 5_000,
      high: 150_000,
      basis: 'assumed',
    });
  });

  it('are never more than the lines allow', () => {
    const limited = measure({ limitedLines: 100, limitTokens: 1_000 });
    expect(outputTokens(limited, [])).toEqual({ low: 1_000, high: 1_000, basis: 'assumed' });
    expect(outputTokens(limited, times(50, 200))).toMatchObject({ low: 1_000, high: 1_000, basis: 'measured' });
    const half = measure({ limitedLines: 50, limitTokens: 5_000 });
    expect(outputTokens(half, [])).toEqual({ low: 5_000, high: 80_000, basis: 'assumed' });
  });

  it('are none for embeddings', () => {
    expect(outputTokens(measure({ limitedLines: 100 }), [])).toEqual({ low: 0, high: 0, basis: 'none' });
  });
});

describe('the time of a line', () => {
  it('is measured where there are enough answers', () => {
    const { basis, low, high } = lineDurationMs({ low: 1, high: 1 }, times(ENOUGH_ANSWERS, 1_000));
    expect([basis, Math.round(low), Math.round(high)]).toEqual(['measured', 900, 1_100]);
  });

  it('is assumed from its tokens elsewhere', () => {
    expect(lineDurationMs({ low: 150, high: 300 }, [])).toEqual({ low: 1_500, high: 12_000, basis: 'assumed' });
  });
});

describe('lines added up', () => {
  it('are kept by model, most lines first', () => {
    const lines = createLineMeasure('embeddings');
    lines.add('a', { input: [1, 2] });
    lines.add('b', { input: [1] });
    lines.add('b', { input: [1, 2, 3] });
    expect(lines.models()).toMatchObject([
      { model: 'b', lines: 2, promptTokens: { low: 4, high: 4 } },
      { model: 'a', lines: 1, promptTokens: { low: 2, high: 2 } },
    ]);
  });

  it('are counted by the tiers that have a price of their own, a few of them by name', () => {
    const lines = createLineMeasure('chat');
    for (const service_tier of ['auto', 'flex', 'priority', 'priority']) lines.add('m', { messages: [], service_tier });
    expect(lines.models()[0]).toMatchObject({ lines: 4, tiers: { flex: 1, priority: 2 } });
    for (let number = 0; number < 50; number += 1) lines.add('m', { messages: [], service_tier: `tier-${number}` });
    expect(Object.keys(lines.models()[0]?.tiers ?? {})).toHaveLength(11);
    expect(lines.models()[0]?.tiers).toMatchObject({ flex: 1, priority: 2, another: 42 });
  });
});
