import { describe, expect, it } from 'vitest';
import type { ServeResult } from '../../../core/contracts/completion.ts';
import type { AttemptFailure, FailureClass } from '../../../core/contracts/failure.ts';
import { runPlan, type PlanEnd } from '../../../core/contracts/run-plan.ts';
import { failureAnswer } from '../../../core/failure-answer.ts';
import { plantFailure, plantLane } from '../../support/planted.ts';

const NOW = 1_000_000;

/**
 * Runs a plan of two lanes whose answers are given by lane, one after the other; absent: it answers. `pausing` are those that
 * are out for no window.
 */
async function run(answers: Record<string, AttemptFailure[]>, out: Record<string, number> = {}, pausing = '') {
  const asked: string[] = [];
  const pauses: number[] = [];
  const last: boolean[] = [];
  const plan = ['a', 'b'].map((id) =>
    plantLane(id, { unavailableUntil: out[id] ?? 0, ...(pausing.includes(id) ? { backsOff: true } : {}) }),
  );
  const end: PlanEnd = await runPlan({
    plan,
    deadlineAt: NOW + 60_000,
    now: () => NOW,
    pause: async (ms) => void pauses.push(ms),
    serve: async (lane, previous, isLastLane): Promise<ServeResult> => {
      asked.push(lane.laneId);
      last.push(isLastLane);
      const failure = answers[lane.laneId]?.shift();
      const shared = { laneId: lane.laneId, attempt: previous.length + 1, startedAt: NOW, durationMs: 1 };
      return failure === undefined
        ? { ok: true, record: { ...shared, outcome: 'answered', reachedUpstream: true } }
        : { ok: false, failure, record: { ...shared, outcome: failure.class, reachedUpstream: true } };
    },
  });
  return { end, asked: asked.join(''), pauses, last };
}
/** What the caller is told. */
const failureCodeOf = (end: PlanEnd): string | null | undefined => {
  const told = end.answered ? undefined : end.told;
  return told && failureAnswer(told.failure.class, told.failure, told.resetsAt).body.error.code;
};
const twice = (failureClass: FailureClass): AttemptFailure[] => [
  plantFailure(failureClass),
  plantFailure(failureClass),
];

describe('a request down its plan', () => {
  it.each<[string, FailureClass, string, number[]]>([
    ['again once and then on', 'broken', 'aab', [250]],
    ['again once and then on', 'overloaded', 'aab', [250]],
    ['again at once and then on', 'process_lost', 'aab', []],
    ['on', 'window_exhausted', 'ab', []],
    ['on', 'unauthorized', 'ab', []],
    ['on', 'model_unavailable', 'ab', []],
    ['on', 'unsupported', 'ab', []],
    ['on', 'lane_unavailable', 'ab', []],
  ])('goes %s after %s', async (_, failureClass, order, waits) => {
    const { end, asked, pauses } = await run({ a: twice(failureClass) });
    expect([asked, pauses]).toEqual([order, waits]);
    expect(end).toMatchObject({ answered: true, laneId: 'b' });
  });

  it.each<FailureClass>(['caller_fault', 'cancelled'])(
    'ends after %s, and leaves the telling to the lane',
    async (failureClass) => {
      const { end, asked } = await run({ a: twice(failureClass) });
      expect(asked).toBe('a');
      expect(end).toMatchObject({ answered: false });
      expect('told' in end).toBe(false);
    },
  );

  it('asks no lane that is out, and says when it returns', async () => {
    const { end, asked } = await run({}, { a: NOW + 5_000, b: NOW + 3_000 });
    expect(asked).toBe('');
    expect(end).toMatchObject({
      answered: false,
      told: { failure: { class: 'lane_unavailable' }, resetsAt: NOW + 3_000 },
    });
  });

  it.each<[string, AttemptFailure]>([
    ['is busy', plantFailure('lane_unavailable')],
    ['pauses after failures', plantFailure('lane_unavailable', { unavailableUntil: NOW + 5_000, backsOff: true })],
    ['is rate-limited', plantFailure('rate_limited', { unavailableUntil: NOW + 8_000 })],
    ['is overloaded', plantFailure('overloaded', { unavailableUntil: NOW + 8_000 })],
  ])('says that a lane %s, and no window’s reset, when another one is out of its window', async (_, passing) => {
    const exhausted = plantFailure('window_exhausted', { unavailableUntil: NOW + 50_000 });
    for (const answers of [
      { a: [passing, passing], b: [exhausted] },
      { a: [exhausted], b: [passing, passing] },
    ]) {
      const { end } = await run(answers);
      expect(end).toMatchObject({ told: { failure: passing } });
      expect(failureCodeOf(end)).not.toBe('usage_limit_reached');
    }
  });

  it.each<[string, Record<string, AttemptFailure[]>]>([
    ['nobody was asked', {}],
    ['a lane was asked that is out of its window', { a: [plantFailure('window_exhausted')] }],
    ['a lane was asked that can not do it', { a: [plantFailure('unsupported', { param: 'n' })] }],
  ])('says that a lane pauses that was out from the beginning when %s', async (_, answers) => {
    const out = { b: NOW + 8_000, ...('a' in answers ? {} : { a: NOW + 50_000 }) };
    const { end } = await run(answers, out, 'b');
    const pause = { class: 'lane_unavailable', unavailableUntil: NOW + 8_000, backsOff: true };
    expect(end).toMatchObject({ told: { failure: pause } });
    expect(failureCodeOf(end)).toBe('server_is_overloaded');
  });

  it('says when a window opens again that does so before any pause is over', async () => {
    for (const pause of [{ b: NOW + 90_000 }, {}]) {
      const limited = plantFailure('lane_unavailable', { unavailableUntil: NOW + 90_000, backsOff: true });
      const { end } = await run({ b: [limited] }, { a: NOW + 50_000, ...pause }, 'b');
      expect(end).toMatchObject({ told: { resetsAt: NOW + 50_000 } });
      expect(failureCodeOf(end)).toBe('usage_limit_reached');
    }
  });

  it('says the failure that closed a lane, and not that it was closed at the next try', async () => {
    const { end, asked } = await run({
      a: [plantFailure('overloaded'), plantFailure('lane_unavailable', { unavailableUntil: NOW + 5_000 })],
      b: [plantFailure('model_unavailable')],
    });
    expect(asked).toBe('aab');
    expect(end).toMatchObject({ told: { failure: { class: 'overloaded' } } });
  });

  it('knows its last lane: the one beside which no other is open', async () => {
    expect((await run({ a: twice('broken') })).last).toEqual([false, false, true]);
    expect((await run({ a: twice('broken') }, { b: NOW + 3_000 })).last).toEqual([true, true]);
    expect((await run({}, { a: NOW + 3_000 })).last).toEqual([true]);
  });

  it('says no return while one lane’s is not known', async () => {
    const { end } = await run({ a: twice('broken') }, { b: NOW + 3_000 });
    expect(end).toMatchObject({ told: { failure: { class: 'broken' } } });
    expect(end.answered ? undefined : end.told?.resetsAt).toBeUndefined();
  });
});
