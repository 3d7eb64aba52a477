import { describe, expect, it } from 'vitest';
import type { FailureClass } from '../../../core/contracts/failure.ts';
import type { LaneKind, LaneState } from '../../../core/contracts/lane.ts';
import { HOLD_WITHOUT_RESET_MS, LONGEST_WINDOW_MS, SHORT_RETRY_AFTER_MS } from '../../../core/contracts/timings.ts';
import { laneEffect, NO_FAILURES, type FailureMemory, type LaneEffect } from '../../../lanes/policy/lane-effect.ts';
import { FAILURE_CLASSES, plantFailure } from '../../support/planted.ts';

const NOW = 1_700_000_000_000;

/** After how many failures of a class in a row what happens to the lane, by kind; null: never, for 20 of them. */
const TABLE: Record<FailureClass, { after: number; plan: LaneState; key: LaneState } | null> = {
  window_exhausted: { after: 1, plan: 'cooling', key: 'cooling' },
  unauthorized: { after: 1, plan: 'needs_login', key: 'needs_key' },
  rate_limited: { after: 2, plan: 'unhealthy', key: 'unhealthy' },
  overloaded: { after: 2, plan: 'unhealthy', key: 'unhealthy' },
  broken: { after: 5, plan: 'unhealthy', key: 'unhealthy' },
  process_lost: { after: 5, plan: 'unhealthy', key: 'unhealthy' },
  model_unavailable: null,
  caller_fault: null,
  lane_unavailable: null,
  unsupported: null,
  consent_spent: null,
  cancelled: null,
};

/** Failures of a class, a second apart; the effect of the last. */
function failTimes(
  times: number,
  failureClass: FailureClass,
  kind: LaneKind,
  from = NO_FAILURES,
  start = NOW,
): LaneEffect {
  let effect: LaneEffect = { memory: from };
  for (let time = 0; time < times; time += 1) {
    effect = laneEffect(kind, plantFailure(failureClass), effect.memory, start + time * 1_000, 1);
    if (effect.change !== undefined && time < times - 1) throw new Error(`changed at failure ${time + 1}`);
  }
  return effect;
}

describe.each(FAILURE_CLASSES)('a failure that is %s', (failureClass) => {
  describe.each(['plan', 'key'] as const)('on a %s lane', (kind) => {
    const row = TABLE[failureClass];
    it(row === null ? 'never changes the lane' : `makes it ${row[kind]} at failure ${row.after}`, () => {
      const { change } = failTimes(row?.after ?? 20, failureClass, kind);
      expect(change?.to).toBe(row?.[kind]);
      expect(change?.why).toBe(row === null ? undefined : 'planted');
    });
  });
});

describe('a window that is used up', () => {
  it.each([
    { known: undefined, until: NOW + HOLD_WITHOUT_RESET_MS },
    { known: NOW + 7, until: NOW + 7 },
    { known: NOW + 3 * LONGEST_WINDOW_MS, until: NOW + LONGEST_WINDOW_MS },
  ])('cools the lane until $until when the reset is $known', ({ known, until }) => {
    const failure = plantFailure('window_exhausted', known === undefined ? {} : { unavailableUntil: known });
    expect(laneEffect('plan', failure, NO_FAILURES, NOW, 0).change).toEqual({ to: 'cooling', until, why: 'planted' });
  });
});

describe('a rate limit with a time', () => {
  const limited = (waitMs: number): LaneEffect =>
    laneEffect('key', plantFailure('rate_limited', { unavailableUntil: NOW + waitMs }), NO_FAILURES, NOW, 0);

  it('is left to the request while it is short', () => {
    expect(limited(SHORT_RETRY_AFTER_MS).change).toBeUndefined();
  });

  it('cools the lane at once when it is longer, at most for the longest window', () => {
    expect(limited(SHORT_RETRY_AFTER_MS + 1).change).toMatchObject({
      to: 'cooling',
      until: NOW + SHORT_RETRY_AFTER_MS + 1,
    });
    expect(limited(2 * LONGEST_WINDOW_MS).change).toMatchObject({ until: NOW + LONGEST_WINDOW_MS });
  });

  it.each(['rate_limited', 'overloaded'] as const)('is told from a window that is used up when it is %s', (limit) => {
    const failure = plantFailure(limit, { unavailableUntil: NOW + 8_000 });
    expect(laneEffect('key', failure, NO_FAILURES, NOW, 0).change).toMatchObject({ to: 'cooling', backsOff: true });
  });
});

describe('the death of a Codex process', () => {
  const die = (memory: FailureMemory, lostProcess: number, at: number): LaneEffect =>
    laneEffect('plan', plantFailure('process_lost', { lostProcess }), memory, at, 1);

  it('is one failure, however many requests it takes along', () => {
    let effect: LaneEffect = { memory: NO_FAILURES };
    for (let request = 0; request < 16; request += 1) effect = die(effect.memory, 7, NOW + request);
    expect(effect.change).toBeUndefined();
    expect(effect.memory.recentAt).toEqual([NOW]);
  });

  it('opens the circuit when it is the fifth within a minute', () => {
    let effect: LaneEffect = { memory: NO_FAILURES };
    for (let death = 1; death <= 5; death += 1) {
      expect(effect.change).toBeUndefined();
      effect = die(die(effect.memory, death, NOW + death).memory, death, NOW + death);
      if (death < 5) expect(effect.memory.recentAt).toHaveLength(death);
    }
    expect(effect.memory.pausesInARow).toBe(1);
  });
});

describe('the circuit breaker', () => {
  it('forgets failures that are more than a minute old', () => {
    const { memory } = failTimes(4, 'broken', 'key');
    expect(laneEffect('key', plantFailure('broken'), memory, NOW + 3_000 + 60_000, 1).change).toBeUndefined();
    expect(laneEffect('key', plantFailure('broken'), memory, NOW + 59_999, 1).change?.to).toBe('unhealthy');
  });

  it('opens again at the first failure of the probe after a pause', () => {
    const paused = failTimes(5, 'broken', 'key');
    const until = paused.change?.until ?? 0;
    expect(laneEffect('key', plantFailure('broken'), paused.memory, until, 1).change?.to).toBe('unhealthy');
    expect(laneEffect('key', plantFailure('broken'), paused.memory, until + 59_999, 1).change?.to).toBe('unhealthy');
  });

  it('doubles the pause with each one in a row, up to a minute', () => {
    let memory: FailureMemory = failTimes(4, 'broken', 'key').memory;
    let now = NOW + 4_000;
    const pausesMs: number[] = [];
    for (let pause = 0; pause < 6; pause += 1) {
      const effect = laneEffect('key', plantFailure('broken'), memory, now, 1);
      const until = effect.change?.until ?? Number.NaN;
      pausesMs.push(until - now);
      ({ memory } = effect);
      now = until;
    }
    expect(pausesMs).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
  });

  it('takes failures of attempts that began before the pause as the same outage', () => {
    const paused = failTimes(5, 'broken', 'key');
    const late = laneEffect('key', plantFailure('broken'), paused.memory, NOW + 4_001, 1);
    expect(late).toEqual({ memory: paused.memory });
  });

  it.each([
    { random: 0, pauseMs: 2_500 },
    { random: 0.5, pauseMs: 3_750 },
    { random: 1, pauseMs: 5_000 },
  ])('spreads the pause between half and all of it: $random gives $pauseMs ms', ({ random, pauseMs }) => {
    const { memory } = failTimes(4, 'process_lost', 'plan');
    const { change } = laneEffect('plan', plantFailure('process_lost'), memory, NOW + 4_000, random);
    expect(change?.until).toBe(NOW + 4_000 + pauseMs);
  });
});
