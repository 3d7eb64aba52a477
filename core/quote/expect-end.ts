import type { Range } from './estimate-tokens.ts';
import { simulateLanes, type SimulatedLane, type SimulatedWindow } from './simulate-lanes.ts';
import type { WindowWorth } from './window-worth.ts';

/** One window of a plan lane, with what a percent of it is worth. */
export interface QuotedWindow {
  readonly name: string;
  readonly usedPercent: number;
  /** Percent that batch lines leave alone. */
  readonly reservePercent: number;
  /** Unix milliseconds; null where it is not known. */
  readonly resetsAt: number | null;
  readonly durationMs: number;
  /** Null where nothing is known of it. */
  readonly worth: WindowWorth | null;
}

export interface QuotedLane {
  readonly concurrency: number;
  /** Unix milliseconds from which it takes lines. */
  readonly openAt: number;
  /** Milliseconds of one line. */
  readonly lineMs: Range;
  /** Lines a second that no lane of its kind gets past. */
  readonly mostLinesPerSecond: number;
  /** Empty for a key lane. */
  readonly windows: readonly QuotedWindow[];
  /** True for a plan lane whose windows are not known: then it may stop at any time. */
  readonly windowsUnknown: boolean;
}

export interface ExpectedEnd {
  /** Unix milliseconds, at the earliest and at the latest; null where nobody can say. */
  readonly earliest: number | null;
  readonly latest: number | null;
  /** Lines that are not done at the deadline; null where nobody can say. */
  readonly leftLow: number | null;
  readonly leftHigh: number | null;
}

/**
 * When lines are done on lanes that work side by side: at the earliest with quick answers, cheap lines and large windows; at the
 * latest with the opposite of each. What is unknown of a window does not bound the earliest, and leaves the latest unknown.
 * @param lineMicros what a line costs on the meter, in millionths of a dollar; null where it is unknown
 */
export function expectEnd(
  lines: number,
  lineMicros: Range | null,
  lanes: readonly QuotedLane[],
  now: number,
  deadline: number,
): ExpectedEnd {
  if (lines === 0) return { earliest: now, latest: now, leftLow: 0, leftHigh: 0 };
  if (lanes.length === 0) return { earliest: null, latest: null, leftLow: lines, leftHigh: lines };
  const best = simulateLanes(
    lines,
    lanes.map((lane) => toSimulated(lane, lineMicros, 'low', now)),
    now,
    deadline,
  );
  const isKnown = lanes.every(
    ({ windows, windowsUnknown }) =>
      !windowsUnknown && windows.every(({ worth }) => worth !== null && lineMicros !== null),
  );
  const early = { earliest: best.endAt, leftLow: Math.floor(best.leftAtDeadline) };
  if (!isKnown) return { ...early, latest: null, leftHigh: best.endAt === null ? lines : null };
  const worst = simulateLanes(
    lines,
    lanes.map((lane) => toSimulated(lane, lineMicros, 'high', now)),
    now,
    deadline,
  );
  return { ...early, latest: worst.endAt, leftHigh: Math.ceil(worst.leftAtDeadline) };
}

/** Percent of a window that lines take; null where it is unknown. */
export function percentOf(worth: WindowWorth | null, micros: Range | null): Range | null {
  if (worth === null || micros === null) return null;
  return { low: micros.low / worth.microsPerPercent.high, high: micros.high / worth.microsPerPercent.low };
}

function toSimulated(lane: QuotedLane, lineMicros: Range | null, end: keyof Range, now: number): SimulatedLane {
  const perSecond = Math.min(lane.mostLinesPerSecond, (lane.concurrency / lane.lineMs[end]) * 1_000);
  return {
    linesPerMs: perSecond / 1_000,
    openAt: lane.openAt,
    windows: lane.windows.map((window): SimulatedWindow => {
      const { usedPercent, reservePercent, resetsAt, durationMs } = window;
      const percent = percentOf(window.worth, lineMicros);
      return {
        leftPercent: Math.max(0, 100 - reservePercent - usedPercent),
        fullPercent: 100 - reservePercent,
        percentPerLine: percent === null ? 0 : percent[end],
        // At the latest a window is reset when all of it has gone by. How long that is, some are not told of.
        resetsAt: resetsAt ?? (durationMs > 0 ? now + durationMs : Number.POSITIVE_INFINITY),
        durationMs,
      };
    }),
  };
}
