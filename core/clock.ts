/** The time, as a parameter, so that tests can move it. Unix milliseconds. */
export interface Clock {
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** Unix seconds, as the OpenAI wire has its times. */
export function toUnixSeconds(ms: number): number {
  return Math.floor(ms / 1000);
}
