import { describe, expect, it } from 'vitest';
import { ATTEMPTS_KEPT, GROUP_LINES, GROUPS_IN_FLIGHT } from '../../core/contracts/batch.ts';
import type { FailureClass } from '../../core/contracts/failure.ts';
import type { PlannedLane } from '../../core/contracts/lane.ts';
import {
  afterPause,
  firstReturn,
  forgetSpentConsent,
  nextAttempt,
  nextReturn,
  pauseOf,
  takeGroup,
  takeHopeless,
  withAttempt,
  type ChunkState,
  type WaitingLine,
} from '../../workflows/line-queue.ts';
import { plantLane } from '../support/planted.ts';

const NOW = 1_700_000_000_000;
const PLAN = plantLane('plan');
const KEY = plantLane('key', { kind: 'key' });

const line = (number: number, model = 'm', usedUp: string[] = []): WaitingLine => ({
  line: number,
  model,
  attempts: [],
  pauses: 0,
  usedUp: new Set(usedUp),
  triesOn: new Map(),
});
const state = (
  waiting: WaitingLine[],
  plans: Record<string, PlannedLane[]>,
  given: Partial<ChunkState> = {},
): ChunkState => ({
  waiting,
  plans: new Map(Object.entries(plans)),
  tried: new Map(),
  cut: new Map(),
  outages: new Map(),
  groupsInFlight: new Map(),
  paused: false,
  priority: 'normal',
  wakes: 0,
  windowOver: false,
  ...given,
});
const lines = (count: number): WaitingLine[] => Array.from({ length: count }, (_, index) => line(index + 1));
const numbers = (group: { lines: readonly WaitingLine[] } | undefined): number[] | undefined =>
  group?.lines.map(({ line: number }) => number);

describe('takeGroup', () => {
  it.each([PLAN, KEY])('gives a $kind lane a group of those that wait first, and leaves the rest in order', (lane) => {
    const size = GROUP_LINES[lane.kind];
    const chunk = state(lines(size + 2), { m: [lane] });
    const group = takeGroup(chunk, NOW);
    expect(group?.lane.laneId).toBe(lane.laneId);
    expect(numbers(group)).toEqual(lines(size).map((waiting) => waiting.line));
    expect(chunk.waiting.map((waiting) => waiting.line)).toEqual([size + 1, size + 2]);
  });

  it('puts only lines of one model and one lane into a group', () => {
    const other = plantLane('other', { kind: 'key' });
    const waiting = [line(1), line(2, 'x'), line(3, 'm', ['key']), line(4)];
    const chunk = state(waiting, { m: [KEY, other], x: [KEY] });
    expect(numbers(takeGroup(chunk, NOW))).toEqual([1, 4]);
    expect(numbers(takeGroup(chunk, NOW))).toEqual([2]);
    const third = takeGroup(chunk, NOW);
    expect([third?.lane.laneId, numbers(third)]).toEqual(['other', [3]]);
    expect(takeGroup(chunk, NOW)).toBeUndefined();
  });

  it.each([
    { lane: PLAN, full: { groupsInFlight: new Map([['plan', GROUPS_IN_FLIGHT.plan]]) } },
    { lane: KEY, full: { groupsInFlight: new Map([['key', GROUPS_IN_FLIGHT.key]]) } },
  ])('takes nothing for a $lane.kind lane when as many are out as may be', ({ lane, full }) => {
    expect(takeGroup(state(lines(2), { m: [lane] }, full), NOW)).toBeUndefined();
    expect(takeGroup(state(lines(2), { m: [lane] }), NOW)).toBeDefined();
  });

  it('passes over a line whose lane is full for one whose lane has room', () => {
    const chunk = state(
      [line(1), line(2, 'x')],
      { m: [PLAN], x: [KEY] },
      { groupsInFlight: new Map([['plan', GROUPS_IN_FLIGHT.plan]]) },
    );
    expect(numbers(takeGroup(chunk, NOW))).toEqual([2]);
    expect(chunk.waiting.map((waiting) => waiting.line)).toEqual([1]);
  });

  it('takes nothing while every lane is out, and again when one is back', () => {
    const chunk = state(lines(1), { m: [plantLane('a', { unavailableUntil: NOW + 10 })] });
    expect(takeGroup(chunk, NOW)).toBeUndefined();
    expect(takeGroup(chunk, NOW + 10)).toBeDefined();
  });

  it('goes by an outage that was learnt since the plan was made', () => {
    const chunk = state(lines(1), { m: [PLAN, KEY] }, { outages: new Map([['plan', NOW + 10]]) });
    expect(takeGroup(chunk, NOW)?.lane.laneId).toBe('key');
  });

  it('takes nothing for a model without a plan', () => {
    expect(takeGroup(state(lines(1), {}), NOW)).toBeUndefined();
  });
});

describe('a lane that is held back for the plan', () => {
  const held = (heldUntil: number): PlannedLane => ({ ...KEY, heldUntil });
  const out = plantLane('plan', { unavailableUntil: NOW + 50 });

  it('gets no line that a plan lane can still serve, and those at once that none can', () => {
    const chunk = state([line(1), line(2, 'm', ['plan'])], { m: [out, held(NOW + 9)] });
    expect(numbers(takeGroup(chunk, NOW))).toEqual([2]);
    expect(takeGroup(chunk, NOW)).toBeUndefined();
    expect(nextReturn(chunk, NOW)).toBe(NOW + 9);
    expect(firstReturn(chunk, NOW)).toBe(NOW + 9);
  });

  it('takes what the plan lanes have no room for once it is released, and nothing before', () => {
    const full = new Map([['plan', GROUPS_IN_FLIGHT.plan]]);
    const late = state(lines(3), { m: [PLAN, held(NOW)] }, { groupsInFlight: full });
    expect(takeGroup(late, NOW)?.lane.laneId).toBe('key');
    const early = state(lines(3), { m: [PLAN, held(NOW + 1)] }, { groupsInFlight: full });
    expect(takeGroup(early, NOW)).toBeUndefined();
    const inOrder = state(lines(3), { m: [PLAN, KEY] }, { groupsInFlight: full });
    expect(takeGroup(inOrder, NOW)).toBeUndefined();
  });

  it('shares what is late with the other lanes that are released, each as much as it takes', () => {
    const second = { ...plantLane('second', { kind: 'key' }), heldUntil: NOW };
    const chunk = state(
      lines(3),
      { m: [out, held(NOW), second] },
      { groupsInFlight: new Map([['key', GROUPS_IN_FLIGHT.key]]) },
    );
    expect(takeGroup(chunk, NOW)?.lane.laneId).toBe('second');
  });

  it('stays held back when it was out for a shorter while', () => {
    const chunk = state(lines(1), { m: [out, held(NOW + 9)] }, { outages: new Map([['key', NOW - 1]]) });
    expect(takeGroup(chunk, NOW)).toBeUndefined();
    expect(nextReturn(chunk, NOW)).toBe(NOW + 9);
  });
});

describe('lines for which there was no money', () => {
  it('have all their lanes again, and others do not', () => {
    const spent = {
      laneId: 'key',
      attempt: 1,
      outcome: 'consent_spent',
      reachedUpstream: false,
      startedAt: 1,
      durationMs: 0,
    };
    const poor = { ...line(1, 'm', ['key']), attempts: [spent as WaitingLine['attempts'][number]] };
    const chunk = state([poor, line(2, 'm', ['key'])], { m: [KEY] });
    forgetSpentConsent(chunk);
    expect(takeHopeless(chunk, NOW).map((hopeless) => hopeless.line)).toEqual([2]);
  });
});

describe('takeHopeless', () => {
  it('takes out the lines that have used up every lane of their plan', () => {
    const chunk = state([line(1, 'm', ['plan', 'key']), line(2, 'm', ['plan']), line(3)], { m: [PLAN, KEY] });
    expect(takeHopeless(chunk, NOW).map((hopeless) => hopeless.line)).toEqual([1]);
    expect(chunk.waiting.map((waiting) => waiting.line)).toEqual([2, 3]);
  });

  it('keeps lines whose lanes are out, and lines whose plan is empty for now', () => {
    const chunk = state([line(1), line(2, 'closed')], {
      m: [plantLane('a', { unavailableUntil: NOW + 1 })],
      closed: [],
    });
    expect(takeHopeless(chunk, NOW)).toEqual([]);
    expect(chunk.waiting).toHaveLength(2);
  });
});

describe('nextReturn', () => {
  it('is when the first lane that a line may still use is back', () => {
    const plans = {
      m: [plantLane('a', { unavailableUntil: NOW + 10 }), plantLane('b', { unavailableUntil: NOW + 30 })],
      x: [plantLane('c', { unavailableUntil: NOW + 20 })],
    };
    expect(nextReturn(state([line(1), line(2, 'x')], plans), NOW)).toBe(NOW + 10);
    expect(nextReturn(state([line(1, 'm', ['a']), line(2, 'x')], plans), NOW)).toBe(NOW + 20);
  });

  it('is unknown when no line has a lane', () => {
    expect(nextReturn(state([line(1)], {}), NOW)).toBeUndefined();
    expect(nextReturn(state([], {}), NOW)).toBeUndefined();
  });
});

describe('firstReturn', () => {
  it('is when the first lane that is out comes back, and unknown while every lane is open', () => {
    const plans = { m: [plantLane('a', { unavailableUntil: NOW + 10 }), KEY] };
    expect(firstReturn(state([line(1)], plans), NOW)).toBe(NOW + 10);
    expect(firstReturn(state([line(1)], plans, { outages: new Map([['key', NOW + 5]]) }), NOW)).toBe(NOW + 5);
    expect(firstReturn(state([line(1)], plans), NOW + 10)).toBeUndefined();
    expect(firstReturn(state([], plans), NOW)).toBeUndefined();
  });
});

describe('a line that has used up its lanes', () => {
  const tried = (outcome: FailureClass, attempt = 1) =>
    ({ laneId: 'plan', attempt, outcome, reachedUpstream: true, startedAt: NOW, durationMs: 1 }) as const;

  it('is kept for a while when it failed in passing, longer the second time, and then given up', () => {
    const broken = { ...line(1, 'm', ['plan']), attempts: [tried('broken')] };
    const first = pauseOf(broken);
    const second = pauseOf(afterPause(broken));
    expect(first).toBeGreaterThan(0);
    expect(second).toBeGreaterThan(first ?? 0);
    expect(pauseOf(afterPause(afterPause(broken)))).toBeUndefined();
  });

  it('is kept for the lane that failed in passing, whatever another one can’t do', () => {
    const attempts = [tried('broken'), tried('unsupported', 2)];
    expect(pauseOf({ ...line(1, 'm', ['plan', 'key']), attempts })).toBeGreaterThan(0);
    expect(pauseOf({ ...line(1), attempts: [tried('unsupported')] })).toBeUndefined();
  });

  it('is kept when a lane lost its worker in the middle of it', () => {
    expect(pauseOf({ ...line(1), attempts: [tried('lane_unavailable')] })).toBeGreaterThan(0);
  });

  it('is given up at once when it failed for a reason that stays', () => {
    expect(pauseOf({ ...line(1), attempts: [tried('window_exhausted')] })).toBeUndefined();
  });

  it('may use every lane again after its pause', () => {
    const again = afterPause({ ...line(1, 'm', ['plan', 'key']), triesOn: new Map([['plan', 2]]) });
    expect([again.usedUp.size, again.triesOn.size, again.pauses]).toEqual([0, 0, 1]);
  });

  it('keeps the last attempts only, and counts on', () => {
    let attempts = line(1).attempts;
    for (let attempt = 1; attempt <= ATTEMPTS_KEPT + 3; attempt += 1)
      attempts = withAttempt(attempts, tried('broken', attempt));
    expect(attempts).toHaveLength(ATTEMPTS_KEPT);
    expect(nextAttempt({ ...line(1), attempts })).toBe(ATTEMPTS_KEPT + 4);
  });
});
