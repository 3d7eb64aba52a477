/** What an orderly stop waits for. */
export interface UnderWay {
  /** Takes up work; what it comes to, or fails with, is its own matter. */
  add(work: Promise<unknown>): void;
  /** Resolves when nothing is under way any more, what was taken up meanwhile included. */
  settled(): Promise<void>;
}

/** Keeps what is under way in a process until it is over. */
export function createUnderWay(): UnderWay {
  const works = new Set<Promise<void>>();
  return {
    add(work) {
      const over = (): void => void works.delete(kept);
      const kept = work.then(over, over);
      works.add(kept);
    },
    async settled() {
      while (works.size > 0) await Promise.all(works);
    },
  };
}
