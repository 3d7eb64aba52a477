import { describe, expect, it } from 'vitest';
import { quoteModel } from '../../../api/quotes/quote-models.ts';
import { createLineMeasure } from '../../../core/quote/measure-lines.ts';
import { ownPriceList } from '../../../lanes/prices/lane-prices.ts';
import { plantLane } from '../../support/planted.ts';

const price = (model: string, inputUsd: number) => ({ model, inputUsd, cachedInputUsd: inputUsd, outputUsd: 0 });
const quote = (tiers: readonly (string | undefined)[]) => {
  const measure = createLineMeasure('embeddings');
  for (const service_tier of tiers) measure.add('m', { input: [1, 2, 3], service_tier });
  const [lines] = measure.models();
  if (lines === undefined) throw new Error('no lines');
  const prices = ownPriceList([price('m', 1), price('m@priority', 2)]);
  return quoteModel(lines, {
    lanes: [plantLane('k', { kind: 'key' })],
    answers: [],
    costMicros: (model, usage) => prices.costMicros(model, usage),
  }).meterMicros;
};

describe('the price of a model’s lines', () => {
  it.each([
    ['is what is listed', ['auto', undefined], 6],
    ['has each tier at its own price', [undefined, 'priority', 'priority'], 15],
    ['is the listed one at a tier that costs no more', [undefined, 'flex'], 6],
    ['is unknown where that of one line is', [undefined, 'scale'], null],
  ] as const)('%s', (_, tiers, micros) => {
    expect(quote(tiers)).toEqual(micros === null ? null : { low: micros, high: micros });
  });
});
