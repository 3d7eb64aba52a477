import { describe, expect, it } from 'vitest';
import { mayBeMetered, type MeteredConsent } from '../../../core/contracts/metered-consent.ts';

type Row = readonly [
  key: MeteredConsent | undefined,
  route: MeteredConsent | undefined,
  silent: boolean,
  asked: boolean,
];

const TABLE: readonly Row[] = [
  [undefined, undefined, true, true],
  ['auto', undefined, true, true],
  ['auto', 'auto', true, true],
  ['auto', 'ask', false, true],
  ['auto', 'never', false, false],
  ['ask', undefined, false, true],
  ['ask', 'auto', false, true],
  ['ask', 'ask', false, true],
  ['ask', 'never', false, false],
  ['never', undefined, false, false],
  ['never', 'auto', false, false],
  ['never', 'ask', false, false],
  ['never', 'never', false, false],
  [undefined, 'ask', false, true],
  [undefined, 'never', false, false],
];

describe('consent for metered spend', () => {
  it.each(TABLE)('with key %s and route %s is %s, and %s when the request allows it', (key, route, silent, asked) => {
    expect(mayBeMetered(key, route, false)).toBe(silent);
    expect(mayBeMetered(key, route, true)).toBe(asked);
  });
});
