/** The time, as a parameter, so that tests can move it. Unix milliseconds. */
export interface Clock {
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/**
 * For ages only: milliseconds since some moment of this process, which go on when the wall clock is set. By the wall clock an age
 * would stand still for as long as the step back was.
 */
export const steadyClock: Clock = { now: () => performance.now() };

/** Unix seconds, as the OpenAI wire has its times. */
export function toUnixSeconds(ms: number): number {
  return Math.floor(ms / 1000);
}
