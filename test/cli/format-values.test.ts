import { describe, expect, it } from 'vitest';
import { formatDollars } from '../../cli/format-values.ts';

describe('formatDollars', () => {
  it.each([
    [null, '-'],
    [0, '$0.00'],
    [0.000_04, '<$0.0001'],
    [0.000_6, '$0.0006'],
    [0.01, '$0.01'],
    [12.345, '$12.35'],
  ])('shows %s as %s', (amount, text) => {
    expect(formatDollars(amount)).toBe(text);
  });
});
