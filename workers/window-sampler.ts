import type { LaneWindow } from '../store/lanes.ts';
import type { WindowSampleStore } from '../store/window-samples.ts';

/** A window that does not change is sampled this often all the same: silence would look like an account that was off. */
const SAMPLE_AT_LEAST_EVERY_MS = 10 * 60_000;

/** A reset that moves by less is the same reset, told with another rounding. */
const SAME_RESET_MS = 60_000;

/** Keeps how much of the windows was used: one sample a change, and one each ten minutes. */
export interface WindowSampler {
  /** @param at Unix milliseconds at which the windows were read */
  take(windows: readonly LaneWindow[], at: number): Promise<void>;
}

/** What is past its time is deleted this often, where the database does not do it by itself. */
const CLEAN_EVERY_MS = 24 * 3_600_000;

export function createWindowSampler(
  laneId: string,
  samples: Pick<WindowSampleStore, 'add' | 'removeExpired'>,
): WindowSampler {
  let cleanedAt = 0;
  const last = new Map<string, { window: LaneWindow; at: number }>();
  return {
    async take(windows, at) {
      const due = windows.filter((window) => {
        const before = last.get(window.name);
        return before === undefined || isDue(before.window, window, at - before.at);
      });
      await samples.add(
        due.map(({ name, usedPercent, resetsAt }) => ({ laneId, window: name, usedPercent, resetsAt, at })),
      );
      for (const window of due) last.set(window.name, { window, at });
      if (at - cleanedAt < CLEAN_EVERY_MS) return;
      cleanedAt = at;
      await samples.removeExpired(at);
    },
  };
}

function isDue(before: LaneWindow, window: LaneWindow, ageMs: number): boolean {
  if (ageMs >= SAMPLE_AT_LEAST_EVERY_MS || before.usedPercent !== window.usedPercent) return true;
  if (before.resetsAt === null || window.resetsAt === null) return before.resetsAt !== window.resetsAt;
  return Math.abs(before.resetsAt - window.resetsAt) >= SAME_RESET_MS;
}
