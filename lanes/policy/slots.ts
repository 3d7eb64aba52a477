/** Who goes first for a slot of a lane: in this order, and first come first served among equals. */
export type SlotPriority = 'interactive' | 'batch_high' | 'batch' | 'batch_low';

/** Admits so many at a time; those who wait are admitted by their priority, else in their order. */
export interface Slots {
  /** Resolves with the release. Rejects with the signal's reason when it is aborted first. */
  acquire(priority: SlotPriority, signal: AbortSignal): Promise<() => void>;
  readonly inUse: number;
  /** Takes effect at once: a higher limit admits those who wait, a lower one lets those who are in finish. */
  setLimit(limit: number): void;
}

export function createSlots(initialLimit: number): Slots {
  let limit = initialLimit;
  const queues: Readonly<Record<SlotPriority, Set<() => void>>> = {
    interactive: new Set(),
    batch_high: new Set(),
    batch: new Set(),
    batch_low: new Set(),
  };
  /** From the first to the last. */
  const inOrder = Object.values(queues);
  let inUse = 0;
  /** The first of those who wait, if there is room. */
  const admitNext = (): void => {
    if (inUse >= limit) return;
    const [next] = inOrder.find((queue) => queue.size > 0) ?? [];
    next?.();
  };
  const release = (): void => {
    inUse -= 1;
    admitNext();
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
    setLimit(next) {
      limit = next;
      for (let room = limit - inUse; room > 0; room -= 1) admitNext();
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
