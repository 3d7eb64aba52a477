import { toUnixSeconds } from '../clock.ts';
import { TERMINAL_BATCH_STATES } from '../contracts/batch.ts';
import type { BatchFacts } from './batch-object.ts';

/** Lines that one lane gave an outcome, and what they cost. Sums of whole numbers: they can be counted up in place. */
export interface LaneTally {
  readonly completed: number;
  readonly failed: number;
  /** Millionths of a dollar paid, of the lines of which it is known. */
  readonly costMicros: number;
  /** Millionths of a dollar that the meter would have taken, likewise. */
  readonly meterMicros: number;
  /** Lines whose cost is not known, and so not in the sum. */
  readonly costUnknown: number;
  readonly meterUnknown: number;
}

/** Lines that were done since the sample before it of the same process. */
export interface PaceSample {
  /** Unix milliseconds. */
  readonly at: number;
  readonly lines: number;
}

/** What progress is told from: one document, whatever the size of the batch. */
export interface ProgressFacts extends Pick<
  BatchFacts,
  '_id' | 'status' | 'counts' | 'createdAt' | 'inProgressAt' | 'expiresAt'
> {
  /** By lane id; `NO_LANE` for lines that no lane gave their outcome. */
  readonly byLane: Readonly<Record<string, LaneTally>>;
  readonly pace: readonly PaceSample[];
  readonly waiting: { readonly until: number | null; readonly why: string } | null;
  readonly paused: boolean;
  readonly priority: string;
  readonly retryOf: string | null;
}

/** Stands for the lane of lines that had none. No lane's id: those are 12 hexadecimal digits. */
export const NO_LANE = 'none';

/** The rate is of about this time: long enough to be steady, short enough to follow a lane that comes or goes. */
const RATE_OVER_MS = 60_000;

/** Below this the first samples would say a rate that is none. */
const SHORTEST_RATE_MS = 1_000;

/**
 * `GET /v1/batches/{id}/progress`. Money in US dollars; null where no line's is known. Times in Unix seconds.
 * @param now Unix milliseconds
 */
export function toBatchProgress(facts: ProgressFacts, aliasOf: (laneId: string) => string | null, now: number) {
  const { counts, byLane, waiting, paused } = facts;
  const isOver = TERMINAL_BATCH_STATES.includes(facts.status);
  const left = Math.max(0, counts.total - counts.completed - counts.failed);
  const rate = facts.status === 'in_progress' ? rateOf(facts, now) : null;
  const isGoing = rate !== null && rate > 0 && waiting === null && !paused;
  const lanes = Object.entries(byLane).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    object: 'batch.progress' as const,
    batch_id: facts._id,
    status: facts.status,
    lines: { total: counts.total, completed: counts.completed, failed: counts.failed, waiting: left },
    by_lane: lanes.map(([laneId, tally]) => ({
      lane: laneId === NO_LANE ? null : laneId,
      account: laneId === NO_LANE ? null : aliasOf(laneId),
      completed: tally.completed,
      failed: tally.failed,
      ...moneyOf([tally]),
    })),
    rate_per_second: rate,
    expected_end: isGoing && left > 0 ? toUnixSeconds(now + (left / rate) * 1000) : null,
    expires_at: toUnixSeconds(facts.expiresAt),
    waiting_until: isOver || waiting === null || waiting.until === null ? null : toUnixSeconds(waiting.until),
    waiting_why: isOver || waiting === null ? null : waiting.why,
    paused,
    priority: facts.priority,
    retry_of: facts.retryOf,
    ...moneyOf(lanes.map(([, tally]) => tally)),
    updated_at: toUnixSeconds(now),
  };
}

export type BatchProgress = ReturnType<typeof toBatchProgress>;

/** Lines a second over the last minute, to a hundredth. */
function rateOf({ pace, inProgressAt, createdAt }: ProgressFacts, now: number): number {
  const since = now - RATE_OVER_MS;
  const lines = pace.filter(({ at }) => at > since).reduce((sum, sample) => sum + sample.lines, 0);
  const overMs = Math.min(RATE_OVER_MS, Math.max(SHORTEST_RATE_MS, now - (inProgressAt ?? createdAt)));
  return Math.round((lines / overMs) * 1000 * 100) / 100;
}

function moneyOf(tallies: readonly LaneTally[]) {
  const sum = (pick: (tally: LaneTally) => number): number => tallies.reduce((total, tally) => total + pick(tally), 0);
  const lines = sum(({ completed, failed }) => completed + failed);
  const usd = (micros: number, unknown: number): number | null =>
    unknown > 0 && unknown === lines ? null : micros / 1_000_000;
  const costUnknown = sum((tally) => tally.costUnknown);
  const meterUnknown = sum((tally) => tally.meterUnknown);
  return {
    cost_usd: usd(
      sum(({ costMicros }) => costMicros),
      costUnknown,
    ),
    meter_usd: usd(
      sum(({ meterMicros }) => meterMicros),
      meterUnknown,
    ),
    /** Lines that are in the sums of neither, or of one, because what they cost is not known. */
    unpriced_lines: Math.max(costUnknown, meterUnknown),
  };
}
