import { describe, expect, it } from 'vitest';
import type { LaneDoc } from '../../store/lanes.ts';
import { sameAccountElsewhere } from '../../workers/same-account.ts';
import { plantLaneDoc } from '../support/planted.ts';

const STATUS = { email: 'me@example.com', planType: 'plus' };
const lane = (_id: string, given: Partial<LaneDoc> = {}): LaneDoc =>
  plantLaneDoc(_id, { kind: 'plan', ...STATUS, createdAt: 5, ...given });

describe('sameAccountElsewhere', () => {
  it.each([
    ['itself', lane('me'), false],
    ['another that serves', lane('other'), true],
    ['another that cools', lane('other', { state: 'cooling' }), true],
    ['another that needs a login', lane('other', { state: 'needs_login' }), false],
    ['another that is off', lane('other', { state: 'off' }), false],
    ['another that is being removed', lane('other', { hold: 'removing' }), false],
    ['another that its owner has paused', lane('other', { hold: 'paused' }), true],
    ['another account', lane('other', { email: 'you@example.com' }), false],
    ['another plan of the same address', lane('other', { planType: 'business' }), false],
    ['a key lane', lane('other', { kind: 'key' }), false],
  ])('gives way after a sign-in to %s', (_, other, expected) => {
    expect(sameAccountElsewhere(lane('me'), STATUS, true, [other])?._id).toBe(expected ? 'other' : undefined);
  });

  it('compares nothing where the address is not known', () => {
    const nobody = { planType: 'plus' };
    expect(sameAccountElsewhere(lane('me'), nobody, true, [lane('other', { email: null })])).toBeUndefined();
  });

  it.each([
    ['ready', 4, true],
    ['ready', 6, false],
    ['off', 6, true],
  ] as const)('after a restart as %s gives way to one that was added at %s: %s', (state, createdAt, expected) => {
    const found = sameAccountElsewhere(lane('me', { state }), STATUS, false, [lane('other', { createdAt })]);
    expect(found?._id).toBe(expected ? 'other' : undefined);
  });

  it('lets exactly one of two serve that were added at the same moment', () => {
    const both = [lane('one'), lane('two')];
    const serving = both.filter((self) => sameAccountElsewhere(self, STATUS, false, both) === undefined);
    expect(serving.map(({ _id }) => _id)).toEqual(['one']);
  });
});
