import { describe, expect, it } from 'vitest';
import { chooseLane, earliestReturn, outageAfter } from '../../../core/contracts/choose-lane.ts';
import type { AttemptFailure, FailureClass } from '../../../core/contracts/failure.ts';
import type { PlannedLane } from '../../../core/contracts/lane.ts';
import {
  HOLD_WITHOUT_RESET_MS,
  LANE_WITHOUT_WORKER_MS,
  LONGEST_WINDOW_MS,
  REPLAN_AT_LEAST_AFTER_MS,
} from '../../../core/contracts/timings.ts';

const NOW = 1_700_000_000_000;
const NONE: ReadonlySet<string> = new Set();
const NO_OUTAGES: ReadonlyMap<string, number> = new Map();

const lane = (laneId: string, unavailableUntil = 0): PlannedLane => ({
  laneId,
  kind: 'plan',
  alias: laneId,
  model: 'gpt-5.5',
  concurrency: 4,
  unavailableUntil,
});

describe('chooseLane', () => {
  it('takes the first lane of the plan that is ready', () => {
    expect(chooseLane([lane('a'), lane('b')], NONE, NO_OUTAGES, NOW)?.laneId).toBe('a');
    expect(chooseLane([lane('a', NOW + 1), lane('b')], NONE, NO_OUTAGES, NOW)?.laneId).toBe('b');
  });

  it('takes a lane again at the very time at which it is back', () => {
    expect(chooseLane([lane('a', NOW)], NONE, NO_OUTAGES, NOW)?.laneId).toBe('a');
  });

  it('passes over lanes that the request has used up', () => {
    expect(chooseLane([lane('a'), lane('b')], new Set(['a']), NO_OUTAGES, NOW)?.laneId).toBe('b');
    expect(chooseLane([lane('a')], new Set(['a']), NO_OUTAGES, NOW)).toBeUndefined();
  });

  it('believes what the workflow has learnt before what was planned', () => {
    expect(chooseLane([lane('a'), lane('b')], NONE, new Map([['a', NOW + 1]]), NOW)?.laneId).toBe('b');
    expect(chooseLane([lane('a', NOW + 1)], NONE, new Map([['a', NOW]]), NOW)?.laneId).toBe('a');
  });
});

describe('earliestReturn', () => {
  it('is the first time at which a lane is back that is not used up', () => {
    const plan = [lane('a', NOW + 10), lane('b', NOW + 20), lane('c', NOW + 30)];
    expect(earliestReturn(plan, new Set(['a']), NO_OUTAGES, NOW)).toBe(NOW + 20);
    expect(earliestReturn(plan, NONE, new Map([['a', NOW + 25]]), NOW)).toBe(NOW + 20);
  });

  it('is never in the past', () => {
    expect(earliestReturn([lane('a', NOW - 10)], NONE, NO_OUTAGES, NOW)).toBe(NOW);
  });

  it('is unknown when no lane is left', () => {
    expect(earliestReturn([lane('a')], new Set(['a']), NO_OUTAGES, NOW)).toBeUndefined();
    expect(earliestReturn([], NONE, NO_OUTAGES, NOW)).toBeUndefined();
  });
});

/** How long a failure without a known end keeps the lane from others, in milliseconds; null where it concerns one request. */
const HOLDS: Record<FailureClass, number | null> = {
  window_exhausted: HOLD_WITHOUT_RESET_MS,
  unauthorized: HOLD_WITHOUT_RESET_MS,
  rate_limited: REPLAN_AT_LEAST_AFTER_MS,
  overloaded: REPLAN_AT_LEAST_AFTER_MS,
  lane_unavailable: LANE_WITHOUT_WORKER_MS,
  model_unavailable: null,
  caller_fault: null,
  broken: null,
  process_lost: null,
  unsupported: null,
  consent_spent: null,
  cancelled: null,
};

describe('outageAfter', () => {
  const failureOf = (failureClass: FailureClass, unavailableUntil?: number): AttemptFailure => ({
    class: failureClass,
    answerStarted: false,
    reachedUpstream: true,
    reason: 'planted',
    ...(unavailableUntil === undefined ? {} : { unavailableUntil }),
  });

  describe.each(Object.entries(HOLDS) as [FailureClass, number | null][])('after %s', (failureClass, holdMs) => {
    it(holdMs === null ? 'leaves the lane to others' : `holds the lane for ${holdMs} ms without a known end`, () => {
      expect(outageAfter(failureOf(failureClass), NOW)).toBe(holdMs === null ? undefined : NOW + holdMs);
    });

    it('takes a known end where the lane is held, up to the longest window', () => {
      const known = (until: number): number | undefined => outageAfter(failureOf(failureClass, until), NOW);
      expect(known(NOW + 7)).toBe(holdMs === null ? undefined : NOW + 7);
      expect(known(NOW + 2 * LONGEST_WINDOW_MS)).toBe(holdMs === null ? undefined : NOW + LONGEST_WINDOW_MS);
    });
  });
});
