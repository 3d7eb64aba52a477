import { describe, expect, it } from 'vitest';
import { KEY_GROUP_LINES, KEY_GROUPS_IN_FLIGHT, PLAN_LINES_IN_FLIGHT } from '../../core/contracts/batch.ts';
import type { PlannedLane } from '../../core/contracts/lane.ts';
import { nextReturn, takeGroup, takeHopeless, type ChunkState, type WaitingLine } from '../../workflows/line-queue.ts';
import { plantLane } from '../support/planted.ts';

const NOW = 1_700_000_000_000;
const PLAN = plantLane('plan');
const KEY = plantLane('key', { kind: 'key' });

const line = (number: number, model = 'm', usedUp: string[] = []): WaitingLine => ({
  line: number,
  model,
  attempts: [],
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
  outages: new Map(),
  planLinesInFlight: 0,
  keyGroupsInFlight: 0,
  ...given,
});
const lines = (count: number): WaitingLine[] => Array.from({ length: count }, (_, index) => line(index + 1));
const numbers = (group: { lines: readonly WaitingLine[] } | undefined): number[] | undefined =>
  group?.lines.map(({ line: number }) => number);

describe('takeGroup', () => {
  it('gives a plan lane one line at a time, the first that waits', () => {
    const chunk = state(lines(3), { m: [PLAN] });
    const group = takeGroup(chunk, NOW);
    expect(group?.lane.laneId).toBe('plan');
    expect(numbers(group)).toEqual([1]);
    expect(chunk.waiting.map((waiting) => waiting.line)).toEqual([2, 3]);
  });

  it('gives a key lane a group, and leaves the rest in order', () => {
    const chunk = state(lines(KEY_GROUP_LINES + 2), { m: [KEY] });
    expect(numbers(takeGroup(chunk, NOW))).toHaveLength(KEY_GROUP_LINES);
    expect(chunk.waiting.map((waiting) => waiting.line)).toEqual([KEY_GROUP_LINES + 1, KEY_GROUP_LINES + 2]);
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
    { lane: PLAN, full: { planLinesInFlight: PLAN_LINES_IN_FLIGHT } },
    { lane: KEY, full: { keyGroupsInFlight: KEY_GROUPS_IN_FLIGHT } },
  ])('takes nothing for a $lane.kind lane when as many are out as may be', ({ lane, full }) => {
    expect(takeGroup(state(lines(2), { m: [lane] }, full), NOW)).toBeUndefined();
    expect(takeGroup(state(lines(2), { m: [lane] }), NOW)).toBeDefined();
  });

  it('passes over a line whose lane is full for one whose lane has room', () => {
    const chunk = state([line(1), line(2, 'x')], { m: [PLAN], x: [KEY] }, { planLinesInFlight: PLAN_LINES_IN_FLIGHT });
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
