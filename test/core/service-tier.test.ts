import { describe, expect, it } from 'vitest';
import { costsNoMore, unlistedTier } from '../../core/service-tier.ts';
import { usageAtTier } from '../../core/wire/usage.ts';

const USAGE = { promptTokens: 3, cachedPromptTokens: 0, completionTokens: 2, reasoningTokens: 0 };

describe('a service tier', () => {
  it.each([undefined, null, '', 5, 'auto', 'default', 'standard', 'on_demand', 'batch'])(
    'costs what is listed: %j',
    (tier) => {
      expect(unlistedTier(tier)).toBeUndefined();
    },
  );

  it.each(['priority', 'flex', 'scale', 'of_tomorrow'])('has a price of its own: %s', (tier) => {
    expect(unlistedTier(tier)).toBe(tier);
    expect(costsNoMore(tier)).toBe(tier === 'flex');
  });

  it('is kept with no more than the length of a name', () => {
    expect(unlistedTier('x'.repeat(1_000))).toHaveLength(40);
  });
});

describe('the usage of an answer', () => {
  it.each([
    ['the tier that served it', 'priority', undefined, 'priority'],
    ['the tier that was asked for where the answer says nothing', undefined, 'priority', 'priority'],
    ['none where the provider served it at the usual one', 'default', 'priority', undefined],
    ['none where nobody says one', undefined, undefined, undefined],
  ])('has %s', (_, served, asked, tier) => {
    expect(usageAtTier(USAGE, served, asked)).toEqual({
      ...USAGE,
      ...(tier === undefined ? {} : { serviceTier: tier }),
    });
  });

  it('stays unknown', () => {
    expect(usageAtTier(null, 'priority', undefined)).toBeNull();
  });
});
