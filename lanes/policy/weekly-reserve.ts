import { HOLD_WITHOUT_RESET_MS, LONGEST_WINDOW_MS } from '../../core/contracts/timings.ts';

/** What the reserve needs to know of a lane. */
export interface ReserveView {
  /** Percent of the weekly window that batch lines leave to interactive requests; 0: nothing is kept. */
  readonly weeklyReservePercent: number;
  readonly windows: readonly {
    readonly durationMinutes: number;
    readonly usedPercent: number;
    readonly resetsAt: number | null;
  }[];
}

/** A week, in minutes: windows are known by their duration alone. */
const WEEK_MINUTES = 10_080;

/**
 * Until when batch lines leave the lane alone, in Unix milliseconds: the reset of the weekly window where no more than the
 * reserve is left of it, else 0. Where the reset is not known: an hour. A window whose reset has passed counts as fresh.
 */
export function reservedUntil({ weeklyReservePercent, windows }: ReserveView, now: number): number {
  const week = windows.find(({ durationMinutes }) => durationMinutes === WEEK_MINUTES);
  if (weeklyReservePercent <= 0 || week === undefined || week.usedPercent < 100 - weeklyReservePercent) return 0;
  if (week.resetsAt === null) return now + HOLD_WITHOUT_RESET_MS;
  return week.resetsAt > now ? Math.min(week.resetsAt, now + LONGEST_WINDOW_MS) : 0;
}
