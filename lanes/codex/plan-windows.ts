import { z } from 'zod';
import { HOLD_WITHOUT_RESET_MS, LONGEST_WINDOW_MS } from '../../core/contracts/timings.ts';

/** One allowance of a plan over a period. */
export interface PlanWindow {
  /** By its duration, never by its place in an answer: `primary` may be the weekly one. */
  readonly kind: 'five_hours' | 'week' | 'other';
  readonly durationMinutes: number;
  /** 0 to 100. */
  readonly usedPercent: number;
  /** Unix milliseconds; null where it is not known. */
  readonly resetsAt: number | null;
}

/** What is known about a plan's allowances. */
export interface PlanWindows {
  readonly planType: string | null;
  /** Longest first. */
  readonly windows: readonly PlanWindow[];
  /** The backend's own word on whether the plan may be used now; the only sign of recovery. null: not known. */
  readonly ordinaryUsageAllowed: boolean | null;
}

export const UNKNOWN_WINDOWS: PlanWindows = { planType: null, windows: [], ordinaryUsageAllowed: null };

const windowSchema = z.object({
  usedPercent: z.number(),
  windowDurationMins: z.number().nullish(),
  resetsAt: z.number().nullish(),
});
const snapshotSchema = z.object({
  limitId: z.string().nullish(),
  planType: z.string().nullish(),
  primary: windowSchema.nullish(),
  secondary: windowSchema.nullish(),
});
const updateSchema = z.object({ rateLimits: snapshotSchema });
const readSchema = z.object({ rateLimits: snapshotSchema, ordinaryUsageAllowed: z.boolean().nullish() });

/** The bucket of ordinary usage; others meter single models and features. */
const ORDINARY_LIMIT = 'codex';

/** Reads the answer to `account/rateLimits/read`, which is complete: it replaces what was known. */
export function readPlanWindows(answer: unknown): PlanWindows {
  const { rateLimits, ordinaryUsageAllowed } = readSchema.parse(answer);
  return { ...merge(UNKNOWN_WINDOWS, rateLimits), ordinaryUsageAllowed: ordinaryUsageAllowed ?? null };
}

/** Merges a sparse `account/rateLimits/updated`: what it leaves out, or has as null, stays as it was. */
export function mergePlanWindows(known: PlanWindows, update: unknown): PlanWindows {
  const parsed = updateSchema.safeParse(update);
  if (!parsed.success) return known;
  const { rateLimits } = parsed.data;
  if ((rateLimits.limitId ?? ORDINARY_LIMIT) !== ORDINARY_LIMIT) return known;
  return merge(known, rateLimits);
}

function merge(known: PlanWindows, snapshot: z.infer<typeof snapshotSchema>): PlanWindows {
  const byDuration = new Map(known.windows.map((window) => [window.durationMinutes, window]));
  for (const slot of [snapshot.primary, snapshot.secondary]) {
    if (slot === undefined || slot === null) continue;
    const durationMinutes = slot.windowDurationMins ?? 0;
    const before = byDuration.get(durationMinutes);
    byDuration.set(durationMinutes, {
      kind: kindOf(durationMinutes),
      durationMinutes,
      usedPercent: slot.usedPercent,
      resetsAt: typeof slot.resetsAt === 'number' ? slot.resetsAt * 1000 : (before?.resetsAt ?? null),
    });
  }
  return {
    planType: snapshot.planType ?? known.planType,
    windows: [...byDuration.values()].sort((a, b) => b.durationMinutes - a.durationMinutes),
    ordinaryUsageAllowed: known.ordinaryUsageAllowed,
  };
}

function kindOf(durationMinutes: number): PlanWindow['kind'] {
  if (durationMinutes === 300) return 'five_hours';
  return durationMinutes === 10_080 ? 'week' : 'other';
}

/**
 * What the backend's own word on ordinary usage means: open, or out until then (Unix milliseconds). undefined where it has said
 * nothing: neither a percentage nor a clock tells that a window is over or used up.
 */
export function usageVerdict(
  windows: PlanWindows,
  now: number,
): { readonly open: true } | { readonly open: false; readonly until: number } | undefined {
  if (windows.ordinaryUsageAllowed === null) return undefined;
  return windows.ordinaryUsageAllowed ? { open: true } : { open: false, until: exhaustedUntil(windows, now) };
}

/**
 * Until when a plan that said "usage limit" takes nothing, in Unix milliseconds: the latest reset among its used-up windows.
 * At most 8 days ahead; one hour where no reset is known (credits run out without one).
 */
export function exhaustedUntil(windows: PlanWindows, now: number): number {
  const resets = windows.windows
    .filter((window) => window.usedPercent >= 100 && window.resetsAt !== null && window.resetsAt > now)
    .map((window) => window.resetsAt ?? now);
  if (resets.length === 0) return now + HOLD_WITHOUT_RESET_MS;
  return Math.min(Math.max(...resets), now + LONGEST_WINDOW_MS);
}
