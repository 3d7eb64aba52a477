import { describe, expect, it } from 'vitest';
import { mishapOf } from '../../../scripts/bench/mixed-failures.ts';
import { parseMagicWords } from '../../standins/magic-words.ts';

const mishaps = Array.from({ length: 2_000 }, (_, index) => mishapOf(index));

describe('mishapOf', () => {
  it('leaves most requests alone, and mixes all that can go wrong into the others', () => {
    const real = mishaps.filter((mishap) => mishap !== undefined);
    expect(real.length).toBeLessThan(mishaps.length / 10);
    expect(new Set(real)).toEqual(
      new Set(['kill', 'limit', 'status:500', 'half', 'hang', 'status:429', 'failed:server_is_overloaded']),
    );
  });

  it('says the same for the same request, so that two runs can be compared', () => {
    expect(Array.from({ length: 2_000 }, (_, index) => mishapOf(index))).toEqual(mishaps);
  });

  it('uses words that the stand-in knows', () => {
    for (const word of mishaps) {
      if (word === undefined || word === 'kill') continue;
      expect(parseMagicWords('', word).failure, word).toBeDefined();
    }
  });
});
