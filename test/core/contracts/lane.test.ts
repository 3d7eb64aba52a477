import { describe, expect, it } from 'vitest';
import { statesBefore, type LaneState } from '../../../core/contracts/lane.ts';

const STATES: readonly LaneState[] = ['signing_in', 'ready', 'cooling', 'unhealthy', 'needs_login', 'needs_key', 'off'];

/** Where a lane may go from each state, itself aside. Written from the lane's side; the code has it from the other. */
const MAY_BECOME: Record<LaneState, readonly LaneState[]> = {
  signing_in: ['ready', 'needs_login', 'unhealthy', 'off'],
  ready: ['signing_in', 'cooling', 'unhealthy', 'needs_login', 'needs_key', 'off'],
  cooling: ['signing_in', 'ready', 'unhealthy', 'needs_login', 'needs_key', 'off'],
  unhealthy: ['signing_in', 'ready', 'cooling', 'needs_login', 'needs_key', 'off'],
  needs_login: ['signing_in', 'ready', 'off'],
  needs_key: ['ready', 'off'],
  off: ['signing_in', 'ready', 'needs_login'],
};

describe('the states of a lane', () => {
  it.each(STATES)('lead from %s only where they may', (from) => {
    const reached = STATES.filter((to) => to !== from && statesBefore(to).includes(from));
    expect(reached.toSorted()).toEqual(MAY_BECOME[from].toSorted());
  });

  it('keep a lane that is off or needs its owner away from cooling and unhealthy', () => {
    for (const state of ['cooling', 'unhealthy'] as const) {
      expect(statesBefore(state)).not.toContain('off');
      expect(statesBefore(state)).not.toContain('needs_login');
      expect(statesBefore(state)).not.toContain('needs_key');
    }
  });

  it('let every state be entered again, so that a repeated change is no error', () => {
    const refused = STATES.filter((state) => !statesBefore(state).includes(state));
    expect(refused).toEqual([]);
  });
});
