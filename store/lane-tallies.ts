import { NO_LANE, type LaneTally } from '../core/wire/batch-progress.ts';
import type { BatchResultDoc } from './batch-results.ts';

/** What counting by lane needs of an outcome. */
export type TalliedOutcome = Pick<BatchResultDoc, 'kind' | 'laneId' | 'usage' | 'costMicros' | 'meterMicros'>;

export type LaneTallies = Readonly<Record<string, LaneTally>>;

const EMPTY: LaneTally = {
  completed: 0,
  failed: 0,
  costMicros: 0,
  meterMicros: 0,
  costUnknown: 0,
  meterUnknown: 0,
};

/** Outcomes counted by the lane that gave them. */
export function tallyByLane(outcomes: readonly TalliedOutcome[]): LaneTallies {
  return sumTallies(outcomes.map((outcome) => ({ [outcome.laneId ?? NO_LANE]: tallyOf(outcome) })));
}

/** Tallies added up, lane by lane. */
export function sumTallies(tallies: readonly LaneTallies[]): LaneTallies {
  const sums = new Map<string, LaneTally>();
  for (const [laneId, tally] of tallies.flatMap((one) => Object.entries(one))) {
    const sum = sums.get(laneId) ?? EMPTY;
    sums.set(laneId, {
      completed: sum.completed + tally.completed,
      failed: sum.failed + tally.failed,
      costMicros: sum.costMicros + tally.costMicros,
      meterMicros: sum.meterMicros + tally.meterMicros,
      costUnknown: sum.costUnknown + tally.costUnknown,
      meterUnknown: sum.meterUnknown + tally.meterUnknown,
    });
  }
  return Object.fromEntries(sums);
}

/** The increments, by their path, that add these tallies to those of a document. Lane ids are safe names of fields. */
export function tallyIncrements(field: string, tallies: LaneTallies): Record<string, number> {
  return Object.fromEntries(
    Object.entries(tallies).flatMap(([laneId, tally]) =>
      Object.entries(tally).map(([name, count]) => [`${field}.${laneId}.${name}`, count]),
    ),
  );
}

/** A line that used nothing upstream, as one that was refused, has no cost that could be unknown. */
function tallyOf({ kind, laneId, usage, costMicros, meterMicros }: TalliedOutcome): LaneTally {
  const used = laneId !== null && (kind === 'completed' || usage !== null);
  const cost = costMicros ?? null;
  const meter = meterMicros ?? null;
  return {
    completed: kind === 'completed' ? 1 : 0,
    failed: kind === 'failed' ? 1 : 0,
    costMicros: cost ?? 0,
    meterMicros: meter ?? 0,
    costUnknown: used && cost === null ? 1 : 0,
    meterUnknown: used && meter === null ? 1 : 0,
  };
}
