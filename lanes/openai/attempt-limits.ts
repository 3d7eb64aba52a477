import type { Clock } from '../../core/clock.ts';
import type { LaneCall } from '../../core/lane-port.ts';

/** setTimeout takes no more than this; longer deadlines don't occur. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** What can end an attempt from outside: the caller's signal and the deadline. */
export interface AttemptLimits {
  /** Aborted by whichever comes first. */
  readonly signal: AbortSignal;
  /** Why it was aborted; undefined while it was not. */
  endedBy(): 'caller' | 'deadline' | undefined;
  /** Waits for a promise, but not past the limits. Rejects when they are reached. */
  within<Value>(promise: Promise<Value>): Promise<Value>;
  /** Lets go of the timer and of the caller's signal. */
  release(): void;
}

export function createAttemptLimits(call: Pick<LaneCall, 'signal' | 'deadlineAt'>, clock: Clock): AttemptLimits {
  const controller = new AbortController();
  let endedBy: 'caller' | 'deadline' | undefined;
  const end = (by: 'caller' | 'deadline'): void => {
    endedBy ??= by;
    controller.abort();
  };
  const onCallerAbort = (): void => end('caller');
  const remainingMs = Math.min(Math.max(0, call.deadlineAt - clock.now()), LONGEST_TIMER_MS);
  const timer = setTimeout(() => end('deadline'), remainingMs);
  if (call.signal.aborted) onCallerAbort();
  else call.signal.addEventListener('abort', onCallerAbort, { once: true });
  if (remainingMs === 0) end('deadline');
  return {
    signal: controller.signal,
    endedBy: () => endedBy,
    within: async (promise) => {
      const { signal } = controller;
      let stop: (() => void) | undefined;
      const ended = new Promise<never>((_, reject) => {
        stop = () => reject(new Error('The attempt was ended.'));
        if (signal.aborted) stop();
        else signal.addEventListener('abort', stop, { once: true });
      });
      try {
        return await Promise.race([promise, ended]);
      } finally {
        if (stop !== undefined) signal.removeEventListener('abort', stop);
      }
    },
    release: () => {
      clearTimeout(timer);
      call.signal.removeEventListener('abort', onCallerAbort);
    },
  };
}
