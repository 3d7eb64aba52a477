import { describe, expect, it } from 'vitest';
import { decide, type Decision } from '../../../core/contracts/decide.ts';
import type { AttemptFailure, FailureClass } from '../../../core/contracts/failure.ts';
import { SAME_LANE_RETRY_MS, SHORT_RETRY_AFTER_MS } from '../../../core/contracts/timings.ts';

const NOW = 1_700_000_000_000;
const AGAIN_SOON: Decision = { act: 'again', afterMs: SAME_LANE_RETRY_MS };
const AGAIN_NOW: Decision = { act: 'again', afterMs: 0 };
const NEXT: Decision = { act: 'next' };
const FAIL: Decision = { act: 'fail' };

/** What follows the first and the second failure of a class on one lane; the type asks for every class. */
const POLICY: Record<FailureClass, readonly [first: Decision, second: Decision]> = {
  window_exhausted: [NEXT, NEXT],
  rate_limited: [AGAIN_SOON, NEXT],
  overloaded: [AGAIN_SOON, NEXT],
  unauthorized: [NEXT, NEXT],
  model_unavailable: [NEXT, NEXT],
  caller_fault: [FAIL, FAIL],
  broken: [AGAIN_SOON, NEXT],
  process_lost: [AGAIN_NOW, NEXT],
  lane_unavailable: [NEXT, NEXT],
  unsupported: [NEXT, NEXT],
  consent_spent: [NEXT, NEXT],
  cancelled: [FAIL, FAIL],
};
const CLASSES = Object.keys(POLICY) as FailureClass[];

const failureOf = (failureClass: FailureClass, more: Partial<AttemptFailure> = {}): AttemptFailure => ({
  class: failureClass,
  answerStarted: false,
  reachedUpstream: true,
  reason: 'planted',
  ...more,
});

describe('decide', () => {
  describe.each(CLASSES)('after %s', (failureClass) => {
    const [first, second] = POLICY[failureClass];

    it(`answers ${first.act} at the first failure on a lane`, () => {
      expect(decide({ failure: failureOf(failureClass), triesOnLane: 1, now: NOW })).toEqual(first);
    });

    it.each([2, 3])(`answers ${second.act} at failure %i on the same lane`, (triesOnLane) => {
      expect(decide({ failure: failureOf(failureClass), triesOnLane, now: NOW })).toEqual(second);
    });

    it.each([1, 2])('fails at try %i once a byte of the answer has reached the caller', (triesOnLane) => {
      const failure = failureOf(failureClass, { answerStarted: true });
      expect(decide({ failure, triesOnLane, now: NOW })).toEqual(FAIL);
    });
  });

  it.each([
    { waitMs: 1, expected: { act: 'again', afterMs: 1 } },
    { waitMs: SHORT_RETRY_AFTER_MS, expected: { act: 'again', afterMs: SHORT_RETRY_AFTER_MS } },
    { waitMs: SHORT_RETRY_AFTER_MS + 1, expected: NEXT },
    { waitMs: 0, expected: AGAIN_NOW },
    { waitMs: -1, expected: AGAIN_NOW },
  ])('answers $expected.act to a rate limit that ends in $waitMs ms', ({ waitMs, expected }) => {
    const failure = failureOf('rate_limited', { unavailableUntil: NOW + waitMs });
    expect(decide({ failure, triesOnLane: 1, now: NOW })).toEqual(expected);
  });

  it('goes to the next lane at the second rate limit, however short', () => {
    const failure = failureOf('rate_limited', { unavailableUntil: NOW + 1 });
    expect(decide({ failure, triesOnLane: 2, now: NOW })).toEqual(NEXT);
  });
});
