import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { persist } from '../../core/persist.ts';
import { keptLog } from '../support/planted.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

// `node:timers/promises` is not faked by vitest; its sleep goes by the faked setTimeout here.
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number) => new Promise((resolve) => globalThis.setTimeout(resolve, ms)),
}));

describe('persist', () => {
  it('writes once when that works, and gives what was written', async () => {
    const write = vi.fn(async () => 'stored');
    expect(await persist(keptLog().log, write)).toBe('stored');
    expect(write).toHaveBeenCalledTimes(1);
  });

  it('tries again, with longer and longer pauses, until the database is back', async () => {
    const { log, lines } = keptLog();
    const at: number[] = [];
    const start = performance.now();
    const persisted = persist(log, async () => {
      at.push(performance.now() - start);
      if (at.length < 9) throw new Error('away');
      return 'stored';
    });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await persisted).toBe('stored');
    const pauses = at.slice(1).map((time, index) => Math.round(time - (at[index] ?? 0)));
    expect(pauses).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    expect(lines).toHaveLength(8);
  });

  it('gives up after two minutes with the last error', async () => {
    let tries = 0;
    const persisted = persist(keptLog().log, async () => {
      tries += 1;
      throw new Error(`away ${tries}`);
    });
    const failed = persisted.catch((error: unknown) => (error as Error).message);
    await vi.advanceTimersByTimeAsync(110_000);
    const triesSoFar = tries;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await failed).toBe(`away ${tries}`);
    expect(tries).toBeGreaterThan(triesSoFar);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await failed).toBe(`away ${tries}`);
  });
});
