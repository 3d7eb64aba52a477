import { describe, expect, it } from 'vitest';
import { PAUSES_BEFORE_GIVING_UP_MS } from '../../../core/contracts/batch.ts';
import type { AttemptFailure, FailureClass } from '../../../core/contracts/failure.ts';
import type { PlannedLane } from '../../../core/contracts/lane.ts';
import type { LaneLook } from '../../../core/contracts/lane-wait.ts';
import { runPlan, type PlanEnd } from '../../../core/contracts/run-plan.ts';
import { LOOK_WHILE_WAITING_MS } from '../../../core/contracts/timings.ts';
import { plantFailure, plantLane } from '../../support/planted.ts';

const START = 1_700_000_000_000;
const HOUR = 3_600_000;

interface Given {
  readonly plan: readonly PlannedLane[];
  readonly waitMs?: number;
  /** What the database says at a time, by lane id: until when the lane is out. */
  readonly seen?: (now: number) => Record<string, number>;
  /** Whether what it says is a pause, and no window. */
  readonly pauses?: boolean;
  /** The outcome of an attempt on a lane at a time; undefined is an answer. */
  readonly fails?: (laneId: string, now: number) => AttemptFailure | undefined;
  readonly triesAllAgain?: () => boolean;
}

/** Runs a plan over a clock that only pauses move. */
async function run({
  plan,
  waitMs,
  seen = () => ({}),
  pauses: backsOff = false,
  fails = () => undefined,
  ...given
}: Given) {
  let now = START;
  const pauses: number[] = [];
  const served: string[] = [];
  const look = async (): Promise<Map<string, LaneLook>> => {
    const pause = backsOff ? { backsOff } : {};
    return new Map(Object.entries(seen(now)).map(([id, unavailableUntil]) => [id, { unavailableUntil, ...pause }]));
  };
  const end: PlanEnd = await runPlan({
    plan,
    deadlineAt: START + 2 * HOUR,
    now: () => now,
    pause: async (ms) => {
      pauses.push(ms);
      now += ms;
    },
    serve: async ({ laneId }, previous) => {
      served.push(`${laneId} at ${now - START}`);
      const failure = fails(laneId, now);
      const record = { laneId, attempt: previous.length + 1, reachedUpstream: true, startedAt: now, durationMs: 0 };
      return failure === undefined
        ? { ok: true, record: { ...record, outcome: 'answered' } }
        : { ok: false, failure, record: { ...record, outcome: failure.class } };
    },
    ...(waitMs === undefined ? {} : { wait: { until: START + waitMs, look, ...given } }),
  });
  return { end, pauses, served };
}

const out = (laneId: string, forMs: number): PlannedLane => plantLane(laneId, { unavailableUntil: START + forMs });

describe('a request that waits', () => {
  it('is served as soon as the first lane is back', async () => {
    const { end, served } = await run({ plan: [out('a', 9_000), out('b', 4_000)], waitMs: HOUR });
    expect(end).toMatchObject({ answered: true, laneId: 'b' });
    expect(served).toEqual(['b at 4000']);
  });

  it('notices a lane that is back before its time', async () => {
    const seen = (now: number): Record<string, number> => ({ a: now >= START + 20_000 ? 0 : START + HOUR });
    const { served, pauses } = await run({ plan: [out('a', HOUR)], waitMs: HOUR, seen });
    expect(served).toEqual([`a at ${2 * LOOK_WHILE_WAITING_MS}`]);
    expect(Math.max(...pauses)).toBe(LOOK_WHILE_WAITING_MS);
  });

  it('tries a lane again that ran out under it', async () => {
    const fails = (_: string, now: number): AttemptFailure | undefined =>
      now < START + 5_000 ? plantFailure('window_exhausted', { unavailableUntil: START + 5_000 }) : undefined;
    const { end, served } = await run({ plan: [plantLane('a')], waitMs: HOUR, fails });
    expect(end.answered).toBe(true);
    expect(served).toEqual(['a at 0', 'a at 5000']);
  });

  it('is told when its time is over, with the reset', async () => {
    const { end, served, pauses } = await run({ plan: [out('a', HOUR)], waitMs: 20_000 });
    expect(end).toMatchObject({
      answered: false,
      told: { failure: { class: 'lane_unavailable' }, resetsAt: START + HOUR },
    });
    expect(served).toEqual([]);
    expect(pauses.reduce((sum, ms) => sum + ms, 0)).toBe(20_000);
  });

  it.each([true, false])('is told what the last look says its lane is out for (a pause: %s)', async (pauses) => {
    const { end } = await run({
      plan: [pauses ? out('a', HOUR) : { ...out('a', HOUR), backsOff: true }],
      waitMs: 20_000,
      seen: () => ({ a: START + HOUR }),
      pauses,
    });
    const reset = pauses ? {} : { resetsAt: START + HOUR };
    const pause = pauses ? { unavailableUntil: START + HOUR, backsOff: true } : {};
    const failure = expect.objectContaining({ class: 'lane_unavailable', ...pause }) as object;
    expect(end).toMatchObject({ answered: false, told: { failure, ...reset } });
    expect(end.answered ? undefined : end.told && 'resetsAt' in end.told).toBe(!pauses);
  });

  it.each<FailureClass>(['model_unavailable', 'unsupported', 'broken', 'caller_fault'])(
    'does not wait for a lane that failed it as %s',
    async (failureClass) => {
      const { end, served } = await run({
        plan: [plantLane('a')],
        waitMs: HOUR,
        fails: () => plantFailure(failureClass),
      });
      expect(end.answered).toBe(false);
      expect(new Set(served.map((one) => one.split(' ')[0]))).toEqual(new Set(['a']));
      expect(served.length).toBeLessThanOrEqual(2);
    },
  );

  it('is not told of windows alone when a lane was only busy', async () => {
    const opensAt = START + 30_000;
    let runsOut = opensAt;
    const { end, served } = await run({
      plan: [plantLane('busy'), out('a', 30_000)],
      waitMs: 40_000,
      // That a lane is busy, the database does not know.
      seen: () => ({ busy: 0, a: runsOut }),
      fails: (laneId) => {
        if (laneId === 'busy') return plantFailure('lane_unavailable');
        runsOut = START + 2 * HOUR;
        return plantFailure('window_exhausted', { unavailableUntil: runsOut });
      },
    });
    expect(served.at(-1)).toBe('a at 30000');
    expect(end).toMatchObject({ told: { failure: { class: 'lane_unavailable' } } });
  });

  it('asks no lane while all are out, however often it looks', async () => {
    const { served, pauses } = await run({
      plan: [out('a', 2 * HOUR)],
      waitMs: HOUR,
      seen: () => ({ a: START + 2 * HOUR }),
    });
    expect(served).toEqual([]);
    expect(pauses).toHaveLength(HOUR / LOOK_WHILE_WAITING_MS);
  });
});

describe('a request that waits for one lane beside another', () => {
  const minutes = (count: number): number => count * 60_000;
  const open = { a: 0 };

  it.each<FailureClass>(['unsupported', 'model_unavailable'])(
    'never tries one again that failed it as %s, however often a look says that it is open',
    async (failureClass) => {
      const { end, served } = await run({
        plan: [plantLane('a'), out('b', minutes(30))],
        waitMs: HOUR,
        seen: (now) => ({ ...open, b: now < START + minutes(30) ? START + minutes(30) : 0 }),
        fails: (laneId) => (laneId === 'a' ? plantFailure(failureClass) : undefined),
      });
      expect(end).toMatchObject({ answered: true, laneId: 'b' });
      expect(served).toEqual(['a at 0', `b at ${minutes(30)}`]);
    },
  );

  it.each<FailureClass>(['broken', 'process_lost'])(
    'tries one again that failed it as %s as often as a line of a batch, and then waits for the other alone',
    async (failureClass) => {
      const { end, served } = await run({
        plan: [plantLane('a'), out('b', minutes(30))],
        waitMs: minutes(20),
        seen: () => ({ ...open, b: START + minutes(30) }),
        fails: () => plantFailure(failureClass),
      });
      expect(end).toMatchObject({ answered: false });
      // Two tries in a row at first and after each of two pauses.
      expect(served).toHaveLength(2 * (1 + PAUSES_BEFORE_GIVING_UP_MS.length));
    },
  );

  it('is answered by one that broke and is well again', async () => {
    const { end } = await run({
      plan: [plantLane('a'), out('b', minutes(30))],
      waitMs: minutes(20),
      seen: () => ({ ...open, b: START + minutes(30) }),
      fails: (_, now) => (now < START + 10_000 ? plantFailure('broken') : undefined),
    });
    expect(end).toMatchObject({ answered: true, laneId: 'a' });
  });

  it.each<FailureClass>(['overloaded', 'rate_limited', 'lane_unavailable', 'window_exhausted', 'unauthorized'])(
    'pauses longer and longer for one that is open by every look and fails it as %s all the same',
    async (failureClass) => {
      const { end, served } = await run({
        plan: [plantLane('a'), plantLane('b')],
        waitMs: HOUR,
        seen: () => ({ a: 0, b: 0 }),
        fails: (_, now) => plantFailure(failureClass, { unavailableUntil: now }),
      });
      expect(end.answered).toBe(false);
      expect(served.length).toBeLessThan(150);
    },
  );

  it('of an earlier version goes on as it did', async () => {
    const { served } = await run({
      plan: [plantLane('a'), out('b', minutes(30))],
      waitMs: 20_000,
      seen: () => ({ ...open, b: START + minutes(30) }),
      fails: () => plantFailure('unsupported'),
      triesAllAgain: () => true,
    });
    expect(served.slice(0, 3)).toEqual(['a at 0', 'a at 15000', 'a at 15250']);
  });
});

describe('a request that does not wait', () => {
  it('is told at once', async () => {
    const { end, pauses } = await run({ plan: [out('a', 1_000)] });
    expect(end.answered).toBe(false);
    expect(pauses).toEqual([]);
  });
});
