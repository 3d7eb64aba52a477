/** What can end a turn from outside. */
export type StopReason = 'cancelled' | 'deadline' | 'process_lost';

export class TurnStopped extends Error {
  readonly reason: StopReason;

  constructor(reason: StopReason) {
    super(`The turn was stopped: ${reason}.`);
    this.name = 'TurnStopped';
    this.reason = reason;
  }
}

/** Watches everything that may end a turn from outside, and leaves nothing behind after `release`. */
export interface TurnStop {
  /** Waits for a promise. @throws TurnStopped as soon as the turn is stopped. */
  during<T>(promise: Promise<T>): Promise<T>;
  /** @throws TurnStopped if the turn is stopped already. */
  check(): void;
  release(): void;
}

export function createTurnStop(on: {
  readonly signal: AbortSignal;
  readonly remainingMs: number;
  readonly onProcessExit: (listener: () => void) => () => void;
}): TurnStop {
  let reason: StopReason | undefined;
  let reject: (stopped: TurnStopped) => void = () => undefined;
  const stopped = new Promise<never>((_, rejectStopped) => {
    reject = rejectStopped;
  });
  // Handled here as well: a turn may be stopped while nobody waits.
  stopped.catch(() => undefined);
  const stop = (why: StopReason): void => {
    if (reason !== undefined) return;
    reason = why;
    reject(new TurnStopped(why));
  };
  const onAbort = (): void => stop('cancelled');
  on.signal.addEventListener('abort', onAbort, { once: true });
  if (on.signal.aborted) stop('cancelled');
  const timer = setTimeout(() => stop('deadline'), Math.max(0, on.remainingMs));
  const forgetExit = on.onProcessExit(() => stop('process_lost'));
  return {
    during: (promise) => Promise.race([promise, stopped]),
    check() {
      if (reason !== undefined) throw new TurnStopped(reason);
    },
    release() {
      clearTimeout(timer);
      on.signal.removeEventListener('abort', onAbort);
      forgetExit();
    },
  };
}
