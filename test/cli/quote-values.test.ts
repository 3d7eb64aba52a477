import { describe, expect, it } from 'vitest';
import { formatDollarRange, formatEnd, formatRange } from '../../cli/quote-values.ts';

describe('the ranges of a quote', () => {
  it.each([
    [null, '-', '-'],
    [{ low: 3, high: 3 }, '3', '$3.00'],
    [{ low: 1, high: 2 }, '1 to 2', '$1.00 to $2.00'],
    [{ low: 0, high: null }, '0 or more', '$0.00 or more'],
  ])('shows %o as %s and as %s', (given, plain, dollars) => {
    expect([formatRange(given), formatDollarRange(given)]).toEqual([plain, dollars]);
  });

  it.each([
    [0, 60, '1970-01-01 00:00Z to 1970-01-01 00:01Z'],
    [0, null, '1970-01-01 00:00Z or later'],
    [null, 60, 'by 1970-01-01 00:01Z'],
    [null, null, 'not known'],
  ])('says of an end from %s to %s: %s', (earliest, latest, text) => {
    expect(formatEnd(earliest, latest)).toBe(text);
  });
});
