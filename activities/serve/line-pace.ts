import { performance } from 'node:perf_hooks';

/** People are taken to be there for so long after one of them has asked. */
const PEOPLE_STAY_MS = 2_000;

/**
 * While people are there, lines start only when this process was idle for more than half of the last moment: an interactive
 * request passes through it some ten times, and waits each time for what the loop is at.
 */
const BUSY_ABOVE = 0.5;

/** How often a line that gives way looks again. Shorter says little about how busy the process is. */
const LOOK_EVERY_MS = 10;

/** Lines that start at a look: 400 a second at most, two thirds of what two cores can do when nobody else is there. */
const LINES_AT_A_LOOK = 4;

/** A line gives way no longer than this, so that a batch goes on however many people ask. */
const GIVES_WAY_MS = 1_000;

/** Lets lines of batches give way to interactive requests where the process itself is what both wait for. */
export interface LinePace {
  /** An interactive request has come. */
  noteInteractive(): void;
  /** Resolves when the next line may start: at once while nobody else is there, or the process has time. */
  turn(): Promise<void>;
}

/** Share of the time since the last call in which the event loop was busy, 0 to 1. */
function measureLoop(): () => number {
  let before = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    return utilization;
  };
}

/** @param now milliseconds of a clock that nobody sets */
export function createLinePace(
  busyShare: () => number = measureLoop(),
  now: () => number = () => performance.now(),
): LinePace {
  const waiting: { readonly since: number; readonly go: () => void }[] = [];
  let peopleUntil = 0;
  let looking: NodeJS.Timeout | undefined;

  /** Some lines go at each look while the process has time; those that gave way for long enough go anyhow. */
  const look = (): void => {
    const at = now();
    const arePeopleThere = at < peopleUntil;
    const hasTime = busyShare() <= BUSY_ABOVE;
    const overdue = waiting.filter(({ since }) => at - since >= GIVES_WAY_MS).length;
    const count = arePeopleThere ? Math.max(overdue, hasTime ? LINES_AT_A_LOOK : 0) : waiting.length;
    for (const { go } of waiting.splice(0, count)) go();
    if (waiting.length > 0) return;
    clearInterval(looking);
    looking = undefined;
  };

  return {
    noteInteractive: () => void (peopleUntil = now() + PEOPLE_STAY_MS),
    turn() {
      const since = now();
      if (since >= peopleUntil && waiting.length === 0) return Promise.resolve();
      return new Promise((resolve) => {
        waiting.push({ since, go: resolve });
        if (looking !== undefined) return;
        busyShare();
        looking = setInterval(look, LOOK_EVERY_MS);
      });
    },
  };
}
