import { describe, expect, it } from 'vitest';
import { NO_LANE, toBatchProgress, type LaneTally, type ProgressFacts } from '../../../core/wire/batch-progress.ts';

const NOW = 1_000_000_000_000;
const NOTHING: LaneTally = { completed: 0, failed: 0, costMicros: 0, meterMicros: 0, costUnknown: 0, meterUnknown: 0 };

const facts: ProgressFacts = {
  _id: 'batch_1',
  status: 'in_progress',
  counts: { total: 100, completed: 40, failed: 10 },
  createdAt: NOW - 200_000,
  inProgressAt: NOW - 100_000,
  expiresAt: NOW + 3_600_000,
  byLane: {},
  pace: [
    { at: NOW - 70_000, lines: 20 },
    { at: NOW - 50_000, lines: 20 },
    { at: NOW - 1_000, lines: 10 },
  ],
  waiting: null,
  paused: false,
  priority: 'normal',
  retryOf: null,
};
const progress = (given: Partial<ProgressFacts> = {}) =>
  toBatchProgress({ ...facts, ...given }, (laneId) => (laneId === 'known' ? 'home' : null), NOW);

describe('the progress of a batch', () => {
  it('takes the rate of the last minute, and the end from it', () => {
    expect(progress()).toMatchObject({
      lines: { total: 100, completed: 40, failed: 10, waiting: 50 },
      rate_per_second: 0.5,
      expected_end: NOW / 1000 + 100,
    });
  });

  it('takes the rate since the start when that is less than a minute ago', () => {
    expect(progress({ inProgressAt: NOW - 20_000 })).toMatchObject({ rate_per_second: 1.5 });
    expect(progress({ inProgressAt: NOW, pace: [{ at: NOW, lines: 3 }] })).toMatchObject({ rate_per_second: 3 });
  });

  it.each([
    ['it is paused', { paused: true }],
    ['its lines wait', { waiting: { until: NOW + 60_000, why: 'the plan is out' } }],
    ['nothing is done', { pace: [] }],
    ['it is over', { status: 'completed' as const }],
    ['it is not validated', { status: 'validating' as const }],
    ['nothing is left', { counts: { total: 50, completed: 50, failed: 0 } }],
  ])('expects no end when %s', (_, given) => {
    expect(progress(given).expected_end).toBeNull();
  });

  it('says what it waits for while it runs, and not when it is over', () => {
    const waiting = { until: NOW + 60_000, why: 'the plan is out' };
    const told = { waiting_until: NOW / 1000 + 60, waiting_why: 'the plan is out' };
    expect(progress({ waiting })).toMatchObject(told);
    expect(progress({ waiting, status: 'cancelled' })).toMatchObject({ waiting_until: null, waiting_why: null });
  });

  it('adds up what lanes cost, and tells the unknown from nothing', () => {
    const byLane = {
      known: { ...NOTHING, completed: 3, costMicros: 500_000, meterMicros: 700_000, meterUnknown: 1 },
      gone: { ...NOTHING, completed: 2, costUnknown: 2, meterUnknown: 2 },
      [NO_LANE]: { ...NOTHING, failed: 1 },
    };
    const { by_lane: lanes, ...whole } = progress({ byLane });
    expect(whole).toMatchObject({ cost_usd: 0.5, meter_usd: 0.7, unpriced_lines: 3 });
    expect(lanes).toEqual([
      { lane: 'gone', account: null, completed: 2, failed: 0, cost_usd: null, meter_usd: null, unpriced_lines: 2 },
      { lane: 'known', account: 'home', completed: 3, failed: 0, cost_usd: 0.5, meter_usd: 0.7, unpriced_lines: 1 },
      { lane: null, account: null, completed: 0, failed: 1, cost_usd: 0, meter_usd: 0, unpriced_lines: 0 },
    ]);
  });
});
