/** Admits so many at a time; those who wait are admitted interactive before batch, else in their order. */
export interface Slots {
  /** Resolves with the release. Rejects with the signal's reason when it is aborted first. */
  acquire(priority: 'interactive' | 'batch', signal: AbortSignal): Promise<() => void>;
  readonly inUse: number;
}

export function createSlots(limit: number): Slots {
  const queues = { interactive: new Set<() => void>(), batch: new Set<() => void>() };
  let inUse = 0;
  const release = (): void => {
    inUse -= 1;
    const [next] = queues.interactive.size > 0 ? queues.interactive : queues.batch;
    next?.();
  };
  const releaseOnce = (): (() => void) => {
    let released = false;
    return () => {
      if (released) return;
      released = true;
      release();
    };
  };
  return {
    get inUse() {
      return inUse;
    },
    async acquire(priority, signal) {
      signal.throwIfAborted();
      if (inUse < limit) {
        inUse += 1;
        return releaseOnce();
      }
      return new Promise((resolve, reject) => {
        const queue = queues[priority];
        const onAbort = (): void => {
          queue.delete(admit);
          reject(signal.reason as Error);
        };
        const admit = (): void => {
          queue.delete(admit);
          signal.removeEventListener('abort', onAbort);
          inUse += 1;
          resolve(releaseOnce());
        };
        queue.add(admit);
        signal.addEventListener('abort', onAbort, { once: true });
      });
    },
  };
}
