/** When lines of a batch that wait for a plan must go to metered lanes after all. Pure, and all of its numbers with a reason. */

/**
 * Lines are finished this long before the deadline: room for two attempts of the longest kind (5 minutes each) and for one
 * look at the lanes that comes late (5 minutes).
 */
export const SPILL_MARGIN_MS = 15 * 60_000;

/** The rest is taken to need twice as long as was measured: lanes slow down at busy hours, and attempts fail. */
export const SPILL_SAFETY = 2;

/** What a line is taken to need on a metered lane before anything was measured: most answers take less, long reasoning more. */
export const ASSUMED_LINE_MS = 30_000;

/** Fewer answers than these say nothing about how long a line takes. */
export const MEASURED_FROM_ANSWERS = 10;

export interface SpillFacts {
  /** Unix milliseconds of the end of the batch. */
  readonly expiresAt: number;
  /** Lines without an outcome that these lanes must serve until then. */
  readonly remainingLines: number;
  /** Of all metered lanes of the plan together. */
  readonly linesPerSecond: number;
}

/**
 * The latest responsible moment: until then lines can wait for the plan, and the metered lanes still finish all of them before
 * the deadline. Unix milliseconds; in the past where it is late already.
 */
export function latestMoment({ expiresAt, remainingLines, linesPerSecond }: SpillFacts): number {
  // Nothing is known to be served: whatever there is must begin at once.
  if (linesPerSecond <= 0) return 0;
  const needsMs = (remainingLines / linesPerSecond) * 1000 * SPILL_SAFETY;
  return Math.max(0, Math.floor(expiresAt - SPILL_MARGIN_MS - needsMs));
}

export interface MeteredLane {
  readonly concurrency: number;
  /** Milliseconds that its last answers took; empty where there are none. */
  readonly answerMs: readonly number[];
}

/**
 * Lines a second of several metered lanes together.
 * @param mostLinesOut lines of one batch that are out on one lane at a time, whatever it could take
 */
export function meteredPace(lanes: readonly MeteredLane[], mostLinesOut: number): number {
  const perSecond = (slots: number, lineMs: number): number => (slots * 1000) / Math.max(1, lineMs);
  const lineMsOf = ({ answerMs }: MeteredLane): number =>
    answerMs.length < MEASURED_FROM_ANSWERS ? ASSUMED_LINE_MS : average(answerMs);
  return lanes.reduce((sum, lane) => sum + perSecond(Math.min(lane.concurrency, mostLinesOut), lineMsOf(lane)), 0);
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
