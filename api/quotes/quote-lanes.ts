import type { PlannedLane } from '../../core/contracts/lane.ts';
import type { QuotedLane, QuotedWindow } from '../../core/quote/expect-end.ts';
import type { Range } from '../../core/quote/estimate-tokens.ts';
import { lineDurationMs, type Basis } from '../../core/quote/from-history.ts';
import { estimateWeek, measureWorth, type ServedEntry } from '../../core/quote/window-worth.ts';
import type { AnswerFacts } from '../../store/lane-log.ts';
import type { LaneDoc } from '../../store/lanes.ts';
import type { WindowSampleDoc } from '../../store/window-samples.ts';

/** Rows a second that were measured on two cores: what lies between Temporal and lane takes no more. */
const MOST_LINES_PER_SECOND = { plan: 44, key: 500 } as const;

const MINUTE_MS = 60_000;
const WEEK_MINUTES = 10_080;

/** What was measured of a lane. */
export interface LaneHistory {
  readonly samples: readonly WindowSampleDoc[];
  readonly served: readonly ServedEntry[];
}

/** A plan lane of a quote, with the windows as they are named. */
export interface QuotedPlanLane extends QuotedLane {
  readonly planned: PlannedLane;
  readonly planType: string | null;
}

/** Milliseconds of a line on one lane. @param perLine output tokens of a line */
export function timesOf(laneId: string, perLine: Range, answers: readonly AnswerFacts[]): Range & { basis: Basis } {
  const durations = answers.flatMap((answer) => {
    const last = answer.laneId === laneId ? answer.attempts.at(-1) : undefined;
    return last === undefined ? [] : [last.durationMs];
  });
  return lineDurationMs(perLine, durations);
}

/** A key lane: nothing bounds it but its slots. */
export function quoteKeyLane(planned: PlannedLane, lineMs: Range): QuotedLane {
  return {
    concurrency: planned.concurrency,
    openAt: planned.unavailableUntil,
    lineMs,
    mostLinesPerSecond: MOST_LINES_PER_SECOND.key,
    windows: [],
    windowsUnknown: false,
  };
}

/**
 * A plan lane with what its windows are worth: as measured where there is enough of it, for the week else by the plan's name, for
 * other windows else unknown.
 */
export function quotePlanLane(
  planned: PlannedLane,
  doc: LaneDoc,
  lineMs: Range,
  { samples, served }: LaneHistory,
): QuotedPlanLane {
  const windows = doc.windows.map((window): QuotedWindow => {
    const isWeek = window.durationMinutes === WEEK_MINUTES;
    const measured = measureWorth(
      samples.filter((sample) => sample.window === window.name),
      served,
    );
    return {
      name: window.name,
      usedPercent: window.usedPercent,
      reservePercent: isWeek ? doc.weeklyReservePercent : 0,
      resetsAt: window.resetsAt,
      durationMs: window.durationMinutes * MINUTE_MS,
      worth: measured ?? (isWeek ? estimateWeek(doc.planType) : null),
    };
  });
  return {
    planned,
    planType: doc.planType,
    concurrency: planned.concurrency,
    openAt: planned.unavailableUntil,
    lineMs,
    mostLinesPerSecond: MOST_LINES_PER_SECOND.plan,
    windows,
    windowsUnknown: windows.length === 0,
  };
}
