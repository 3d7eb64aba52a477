import { expect, it } from 'vitest';
import type { AttemptRecord } from '../../../core/contracts/failure.ts';
import { costsOf, costsOfFailures, countedMicros } from '../../../lanes/prices/costs.ts';
import { lanePrices } from '../../../lanes/prices/lane-prices.ts';
import { plantLane } from '../../support/planted.ts';

const attempt = (given: Partial<AttemptRecord> = {}): AttemptRecord => ({
  laneId: 'k',
  attempt: 1,
  outcome: 'broken',
  reachedUpstream: true,
  startedAt: 1,
  durationMs: 1,
  ...given,
});

it('what failed cost nothing, unless one attempt was cut off where it may have cost something', () => {
  expect(costsOfFailures([])).toEqual({ costMicros: 0, meterMicros: null });
  expect(costsOfFailures([attempt(), attempt()])).toEqual({ costMicros: 0, meterMicros: null });
  const unknown = { costMicros: null, meterMicros: null };
  expect(costsOfFailures([attempt({ costUnknown: true }), attempt()])).toEqual(unknown);
});

it('what is served at another tier has an unknown cost, and counts no more than is listed where it costs no more', () => {
  const prices = lanePrices({ prices: [{ model: 'm', inputUsd: 1, cachedInputUsd: 1, outputUsd: 1 }] });
  const lane = plantLane('k', { kind: 'key' });
  const at = (serviceTier: string) => ({
    promptTokens: 3,
    cachedPromptTokens: 0,
    completionTokens: 2,
    reasoningTokens: 0,
    serviceTier,
  });
  for (const tier of ['flex', 'priority']) {
    expect(costsOf(prices, lane, at(tier))).toEqual({ costMicros: null, meterMicros: null });
  }
  expect(countedMicros(prices, lane, at('flex'))).toBe(5);
  expect(countedMicros(prices, lane, at('priority'))).toBeNull();
  expect(countedMicros(prices, lane, null)).toBeNull();
  expect(countedMicros(prices, plantLane('p'), at('priority'))).toBe(0);
});
