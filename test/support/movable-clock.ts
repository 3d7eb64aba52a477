import type { Clock } from '../../core/clock.ts';

/** A clock that stands until it is moved. */
export interface MovableClock extends Clock {
  advance(ms: number): void;
}

export function createMovableClock(start = 1_800_000_000_000): MovableClock {
  let time = start;
  return {
    now: () => time,
    advance(ms) {
      time += ms;
    },
  };
}
