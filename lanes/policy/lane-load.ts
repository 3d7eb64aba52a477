/** Counts the requests under way on each lane, as far as one process knows of them. */
export interface LaneLoad {
  readonly inFlight: (laneId: string) => number;
  /**
   * Counts one request until the function that is returned is called; calling that again has no effect. It takes the place
   * of one that is expected on this lane, if any is.
   */
  enter(laneId: string): () => void;
  /**
   * Counts what is planned and not under way yet. Requests that have waited for the same picture of the lanes are planned in
   * one go, and each must see those before it.
   * @param forMs until the event loop has come round where it is left out: by then an interactive request has entered
   */
  expect(laneId: string, forMs?: number): void;
}

export function createLaneLoad(): LaneLoad {
  const counts = new Map<string, number>();
  /** What ends each expectation, from the oldest on. */
  const expected = new Map<string, Set<() => void>>();
  const inFlight = (laneId: string): number => counts.get(laneId) ?? 0;
  const count = (laneId: string): (() => void) => {
    counts.set(laneId, inFlight(laneId) + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      const left = inFlight(laneId) - 1;
      if (left > 0) counts.set(laneId, left);
      else counts.delete(laneId);
    };
  };
  return {
    inFlight,
    enter(laneId) {
      const [oldest] = expected.get(laneId) ?? [];
      oldest?.();
      return count(laneId);
    },
    expect(laneId, forMs) {
      const uncount = count(laneId);
      const waiting = expected.get(laneId) ?? new Set();
      expected.set(laneId, waiting);
      const end = (): void => {
        uncount();
        waiting.delete(end);
        if (waiting.size === 0 && expected.get(laneId) === waiting) expected.delete(laneId);
      };
      waiting.add(end);
      if (forMs === undefined) setImmediate(end);
      else setTimeout(end, forMs).unref();
    },
  };
}
