/** A window as the simulation sees it. */
export interface SimulatedWindow {
  /** Percent that is left for these lines now, and after each reset. */
  readonly leftPercent: number;
  readonly fullPercent: number;
  /** Percent that a line takes. */
  readonly percentPerLine: number;
  /** Unix milliseconds of the next reset; infinite for one that is not known to be reset. */
  readonly resetsAt: number;
  /** 0 where it is not known: then it is reset once at most. */
  readonly durationMs: number;
}

export interface SimulatedLane {
  readonly linesPerMs: number;
  /** Unix milliseconds from which it takes lines. */
  readonly openAt: number;
  readonly windows: readonly SimulatedWindow[];
}

export interface Simulated {
  /** Unix milliseconds at which the last line is done; null when it is further away than anybody plans. */
  readonly endAt: number | null;
  /** Lines that are not done at the deadline. */
  readonly leftAtDeadline: number;
}

/** Further ahead nothing is worth saying. */
const HORIZON_MS = 60 * 24 * 3_600_000;

/** Rests of percents and lines below this are errors of the arithmetic. */
const NOTHING = 1e-9;

interface LaneState extends Omit<SimulatedLane, 'windows'> {
  readonly windows: { left: number; resetsAt: number; readonly given: SimulatedWindow }[];
}

/**
 * Runs lines down lanes that work side by side, each until one of its windows is used up and again from its reset on, from event
 * to event: a lane opens, a window is used up, a window is reset, the lines are done.
 * @param deadline Unix milliseconds
 */
export function simulateLanes(
  lines: number,
  lanes: readonly SimulatedLane[],
  now: number,
  deadline: number,
): Simulated {
  const states: LaneState[] = lanes.map((lane) => ({
    ...lane,
    windows: lane.windows.map((given) => ({ left: given.leftPercent, resetsAt: given.resetsAt, given })),
  }));
  for (const { windows } of states) for (const window of windows) reset(window, now);
  let left = lines;
  let at = now;
  let leftAtDeadline: number | undefined;
  while (left > NOTHING && at < now + HORIZON_MS) {
    const working = states.filter((lane) => lane.openAt <= at && lane.linesPerMs > 0 && lane.windows.every(hasRoom));
    const linesPerMs = working.reduce((sum, lane) => sum + lane.linesPerMs, 0);
    const next = Math.min(
      linesPerMs > 0 ? at + left / linesPerMs : Number.POSITIVE_INFINITY,
      ...states.map(({ openAt }) => (openAt > at ? openAt : Number.POSITIVE_INFINITY)),
      ...states.flatMap(({ windows }) => windows.map(({ resetsAt }) => resetsAt)),
      ...working.flatMap((lane) => lane.windows.map((window) => at + timeLeft(lane, window))),
      leftAtDeadline === undefined && deadline > at ? deadline : Number.POSITIVE_INFINITY,
    );
    if (!Number.isFinite(next)) break;
    // Steps of a millisecond at least: a smaller one would be lost in the size of the time itself.
    const passed = Math.max(1, next - at);
    left -= linesPerMs * passed;
    for (const lane of working) {
      for (const window of lane.windows) window.left -= lane.linesPerMs * passed * window.given.percentPerLine;
    }
    at += passed;
    for (const { windows } of states) for (const window of windows) reset(window, at);
    if (leftAtDeadline === undefined && at >= deadline) leftAtDeadline = Math.max(0, left);
  }
  const isDone = left <= NOTHING;
  return {
    endAt: isDone ? at : null,
    leftAtDeadline: leftAtDeadline ?? (isDone && at <= deadline ? 0 : Math.max(0, left)),
  };
}

type WindowState = LaneState['windows'][number];

function hasRoom({ left }: WindowState): boolean {
  return left > NOTHING;
}

function timeLeft(lane: LaneState, { left, given }: WindowState): number {
  return given.percentPerLine === 0 ? Number.POSITIVE_INFINITY : left / (lane.linesPerMs * given.percentPerLine);
}

function reset(window: WindowState, at: number): void {
  if (window.resetsAt > at) return;
  const { fullPercent, durationMs } = window.given;
  const gone = Math.floor((at - window.resetsAt) / durationMs) + 1;
  window.left = fullPercent;
  window.resetsAt = durationMs > 0 ? window.resetsAt + gone * durationMs : Number.POSITIVE_INFINITY;
}
