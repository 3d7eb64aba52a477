/** A batch's consent to metered spend, and what of it is taken. Amounts are millionths of a dollar. */
export interface BatchSpend {
  /** What the batch may cost in all; null: no limit of its own. */
  readonly maxMicros: number | null;
  /** What is neither paid nor held. Counted from UNLIMITED_MICROS where there is no limit, so that one can be set at any time. */
  readonly roomMicros: number;
  /** What was paid, as far as the price is known, and what may have been. */
  readonly paidMicros: number;
  /** What lines that are out may cost at most, by the attempt that holds it. */
  readonly holds: Readonly<Record<string, number>>;
  /** When the attempts that hold something were last known to be alive, in Unix milliseconds. Not of all: see `isDeadHold`. */
  readonly aliveAt?: Readonly<Record<string, number>>;
}

/** A room that no batch uses up: a billion dollars, far below the largest safe integer. */
export const UNLIMITED_MICROS = 1_000_000_000_000_000;

/** The spend of a batch that begins. @param maxMicros null for no limit */
export function newSpend(maxMicros: number | null): BatchSpend {
  return { maxMicros, roomMicros: maxMicros ?? UNLIMITED_MICROS, paidMicros: 0, holds: {} };
}
