import { describe, expect, it } from 'vitest';
import type { LaneOutcome } from '../../../core/lane-port.ts';
import { attemptLane, recordOf, type LaneTry } from '../../../lanes/policy/attempt-lane.ts';
import type { HostedLane } from '../../../lanes/policy/hosted-lane.ts';
import { createSlots } from '../../../lanes/policy/slots.ts';
import { createMovableClock } from '../../support/movable-clock.ts';
import { plantFailure, plantLane } from '../../support/planted.ts';

const clock = createMovableClock();
const ANSWER: LaneOutcome = { ok: true, body: '{}', usage: null, ignoredParams: [] };

/** A lane with one slot, and calls that last until they are let go. */
function setUp() {
  const slots = createSlots(1);
  const letGo: ((outcome?: LaneOutcome) => void)[] = [];
  const reported: string[] = [];
  const hosted: HostedLane = {
    lane: { complete: () => new Promise((resolve) => letGo.push((outcome = ANSWER) => resolve(outcome))) },
    availability: () => ({ open: true }),
    acquire: (priority, signal) => slots.acquire(priority, signal),
    reportFailure: async (failure) => void reported.push(failure.class),
    reportAnswer: async () => {},
  };
  const stopping = new AbortController();
  const attempt = (given: Partial<LaneTry> = {}): Promise<LaneOutcome> =>
    attemptLane(
      { find: () => hosted },
      clock,
      {
        itemId: 'a:1',
        body: {},
        lane: plantLane('k', { kind: 'key' }),
        attempt: 1,
        priority: 'batch',
        deadlineAt: clock.now() + 60_000,
        stream: false,
        stopping: stopping.signal,
        onChunk: async () => {},
        ...given,
      },
      new AbortController().signal,
    );
  return { attempt, letGo, reported, stopping };
}

describe('when the process stops', () => {
  it('what has its slot is finished, and what waits for one goes back unsent', async () => {
    const { attempt, letGo, stopping } = setUp();
    const first = attempt();
    const waiting = attempt();
    await expect.poll(() => letGo.length).toBe(1);
    stopping.abort();
    expect(await waiting).toMatchObject({ ok: false, failure: { class: 'process_lost', reachedUpstream: false } });
    letGo[0]?.();
    expect(await first).toEqual(ANSWER);
    expect(letGo).toHaveLength(1);
  });

  it('nothing is begun any more, though there is room', async () => {
    const { attempt, letGo, stopping } = setUp();
    stopping.abort();
    expect(await attempt()).toMatchObject({ ok: false, failure: { class: 'process_lost' } });
    expect(letGo).toEqual([]);
  });
});

describe('when the time of the caller is over', () => {
  it('nothing is sent any more', async () => {
    const { attempt, letGo } = setUp();
    const failed = await attempt({ deadlineAt: clock.now() });
    expect(failed).toMatchObject({ ok: false, failure: { class: 'lane_unavailable', reachedUpstream: false } });
    expect(letGo).toEqual([]);
  });

  it.each([
    ['what was cut off says nothing of the lane', 'broken', 1_000, ['cancelled']],
    ['what the lane said itself counts', 'overloaded', 1_000, ['overloaded']],
    ['and not before: what breaks counts', 'broken', 999, ['broken']],
  ] as const)('%s', async (_, failureClass, afterMs, expected) => {
    const { attempt, letGo, reported } = setUp();
    const attempted = attempt({ deadlineAt: clock.now() + 1_000 });
    await expect.poll(() => letGo.length).toBe(1);
    clock.advance(afterMs);
    letGo[0]?.({ ok: false, failure: plantFailure(failureClass) });
    expect(await attempted).toMatchObject({ failure: { class: failureClass } });
    expect(reported).toEqual(expected);
  });
});

it('the record of an attempt says where nobody knows what it cost', () => {
  const call = { lane: plantLane('k', { kind: 'key' }), attempt: 1 };
  const cutOff: LaneOutcome = { ok: false, failure: plantFailure('broken') };
  expect(recordOf(call, cutOff, 1, 2)).toMatchObject({ costUnknown: true });
  expect(recordOf({ ...call, lane: plantLane('p') }, cutOff, 1, 2)).not.toHaveProperty('costUnknown');
});
