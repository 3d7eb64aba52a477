import { afterEach, describe, expect, it } from 'vitest';
import type { LaneState } from '../../core/contracts/lane.ts';
import type { PlanWindows } from '../../lanes/codex/plan-windows.ts';
import { createWindowWatch, type WindowWatch } from '../../workers/window-watch.ts';
import { createMovableClock } from '../support/movable-clock.ts';

let watch: WindowWatch | undefined;
afterEach(() => watch?.stop());

const said = (ordinaryUsageAllowed: boolean | null, resetsAt: number): PlanWindows => ({
  planType: 'plus',
  windows: [{ kind: 'five_hours', durationMinutes: 300, usedPercent: 100, resetsAt }],
  ordinaryUsageAllowed,
});

function setUp(state: LaneState, until: number | null = null, backsOff = false) {
  const clock = createMovableClock();
  const lane = { state, until: until === null ? null : clock.now() + until, since: clock.now() };
  const reads: number[] = [];
  const world = { answer: said(true, clock.now() + 9_000) };
  const chores: Promise<unknown>[] = [];
  watch = createWindowWatch({
    laneId: 'a',
    readWindows: async () => {
      reads.push(clock.now());
      return world.answer;
    },
    health: {
      get state() {
        return lane.state;
      },
      get since() {
        return lane.since;
      },
      availability: () =>
        lane.state === 'ready' || (lane.until !== null && lane.until <= clock.now())
          ? { open: true }
          : { open: false, why: 'planted', ...(backsOff ? { backsOff } : {}) },
      change: async (to, patch) =>
        void Object.assign(lane, { state: to, until: patch?.until ?? null, since: clock.now() }),
    },
    lanes: { setWindows: async () => undefined },
    samples: { add: async () => undefined, removeExpired: async () => 0 },
    clock,
    chore: (_, run) => void chores.push(run()),
  });
  return { clock, lane, reads, world, watch, done: () => Promise.all(chores) };
}

describe('what the backend says of the windows', () => {
  it.each([
    ['opens a cooling lane at a start', 'cooling', 60_000, true, true, 'ready'],
    ['does not open a lane that was refused a moment ago', 'cooling', 60_000, true, false, 'cooling'],
    ['cools a lane that is thought to be ready', 'ready', null, false, false, 'cooling'],
    ['says nothing of a lane that nobody is signed in to', 'needs_login', null, true, true, 'needs_login'],
    ['leaves a broken lane to its circuit breaker', 'unhealthy', 60_000, false, true, 'unhealthy'],
    ['changes nothing where it is silent', 'cooling', 60_000, null, true, 'cooling'],
  ] as const)('%s', async (_, state, until, allowed, atOnce, expected) => {
    const { clock, lane, watch } = setUp(state, until);
    await watch.apply(said(allowed, clock.now() + 9_000), atOnce);
    expect(lane.state).toBe(expected);
  });

  it('leaves a lane that was asked to slow down to its pause', async () => {
    const { clock, lane, watch } = setUp('cooling', 1_200_000, true);
    clock.advance(60_000);
    await watch.apply(said(true, clock.now() + 9_000), true);
    expect(lane.state).toBe('cooling');
    clock.advance(1_140_000);
    await watch.apply(said(true, clock.now() + 9_000), false);
    expect(lane.state).toBe('ready');
  });

  it('opens a lane later, once the refusal is a minute old', async () => {
    const { clock, lane, watch } = setUp('cooling', 3_600_000);
    clock.advance(60_000);
    await watch.apply(said(true, clock.now() + 9_000), false);
    expect(lane.state).toBe('ready');
  });

  it('lets a hold that is under way stand, and sets another one when it is over', async () => {
    const { clock, lane, watch } = setUp('cooling', 5_000);
    const until = lane.until;
    await watch.apply(said(false, clock.now() + 9_000), true);
    expect(lane.until).toBe(until);
    clock.advance(5_000);
    const resetsAt = clock.now() + 9_000;
    await watch.apply(said(false, resetsAt), true);
    expect(lane).toMatchObject({ state: 'cooling', until: resetsAt });
  });
});

describe('reading after a turn', () => {
  it('happens once a minute at most, and only while the lane serves or cools', async () => {
    const { clock, lane, reads, watch, done } = setUp('ready');
    watch.afterTurn();
    clock.advance(60_000);
    watch.afterTurn();
    watch.afterTurn();
    await done();
    expect(reads).toHaveLength(1);
    lane.state = 'needs_login';
    clock.advance(60_000);
    watch.afterTurn();
    await done();
    expect(reads).toHaveLength(1);
  });
});
