/** Reads something again and again while somebody follows it: one read at a time, however many follow. */
export interface Poller<Value> {
  /** The value now, and each that differs from the one before, up to the last one. A slow follower gets the newest alone. */
  follow(signal: AbortSignal): AsyncGenerator<Value, void, undefined>;
}

export interface PollerOptions<Value> {
  readonly everyMs: number;
  /** null when it is not there any more. */
  readonly read: () => Promise<Value | null>;
  readonly isSame: (before: Value, after: Value) => boolean;
  /** True for a value after which none comes. */
  readonly isLast: (value: Value) => boolean;
  /** A read that failed is tried again at the next turn. */
  readonly onError: (error: unknown) => void;
  /** Nobody follows any more, or there is nothing more to follow: the poller is not used again. */
  readonly onIdle: () => void;
}

export function createPoller<Value>(options: PollerOptions<Value>): Poller<Value> {
  const { everyMs, read, isSame, isLast, onError, onIdle } = options;
  let followers = 0;
  let timer: NodeJS.Timeout | undefined;
  let latest: { readonly value: Value; readonly version: number } | undefined;
  let isOver = false;
  let isReading = false;
  const waiting = new Set<() => void>();

  const wakeAll = (): void => {
    for (const wake of waiting) wake();
  };
  const nextNews = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const wake = (): void => {
        waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      waiting.add(wake);
      signal.addEventListener('abort', wake);
    });

  const turn = async (): Promise<void> => {
    if (isReading) return;
    isReading = true;
    try {
      const value = await read();
      isOver = value === null || isLast(value);
      if (value !== null && (latest === undefined || !isSame(latest.value, value))) {
        latest = { value, version: (latest?.version ?? 0) + 1 };
        wakeAll();
      }
    } catch (error) {
      onError(error);
    }
    isReading = false;
    if (isOver) {
      onIdle();
      wakeAll();
    } else if (followers > 0) timer = setTimeout(() => void turn(), everyMs);
  };

  return {
    async *follow(signal) {
      followers += 1;
      if (followers === 1) void turn();
      try {
        for (let seen = 0; !signal.aborted;) {
          if (latest !== undefined && latest.version > seen) {
            seen = latest.version;
            yield latest.value;
          } else if (isOver) return;
          else await nextNews(signal);
        }
      } finally {
        followers -= 1;
        if (followers === 0) {
          clearTimeout(timer);
          if (!isOver) onIdle();
        }
      }
    },
  };
}
