import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keepHoldAlive } from '../../../activities/serve/living-hold.ts';
import { HOLD_IS_DEAD_AFTER_MS, HOLD_IS_RENEWED_EVERY_MS } from '../../../core/contracts/holds.ts';
import { keptLog } from '../../support/planted.ts';

const START = 1_700_000_000_000;

beforeEach(() => void vi.useFakeTimers({ now: START }));
afterEach(() => void vi.useRealTimers());

/** A hold that is kept alive, with a database that does what the test says of each renewal. */
function setUp(renew: (times: number) => Promise<boolean> = async () => true) {
  const renewedAt: number[] = [];
  const { log, lines } = keptLog();
  const batchSpend = {
    renew: (_batchId: string, _hold: string, at: number) => {
      renewedAt.push(at - START);
      return renew(renewedAt.length);
    },
  };
  const stop = keepHoldAlive({ batchSpend, clock: { now: () => Date.now() }, log }, 'batch_a', '1-2-3');
  return { renewedAt, lines, stop };
}

describe('the hold of a group that lives', () => {
  it('is renewed often enough for nobody to take it for dead, and rarely', async () => {
    const { renewedAt, stop } = setUp();
    await vi.advanceTimersByTimeAsync(4 * HOLD_IS_DEAD_AFTER_MS);
    expect(renewedAt).toHaveLength((4 * HOLD_IS_DEAD_AFTER_MS) / HOLD_IS_RENEWED_EVERY_MS);
    stop();
    await vi.advanceTimersByTimeAsync(HOLD_IS_DEAD_AFTER_MS);
    expect(renewedAt).toHaveLength((4 * HOLD_IS_DEAD_AFTER_MS) / HOLD_IS_RENEWED_EVERY_MS);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is renewed within a minute when the database is back', async () => {
    const { renewedAt, lines, stop } = setUp(async (times) => {
      if (times < 3) throw new Error('the database is away');
      return true;
    });
    await vi.advanceTimersByTimeAsync(HOLD_IS_RENEWED_EVERY_MS + 3 * 60_000);
    expect(renewedAt).toEqual([0, 1, 2].map((minutes) => HOLD_IS_RENEWED_EVERY_MS + minutes * 60_000));
    expect(lines).toHaveLength(2);
    stop();
  });

  it('is renewed once at a time', async () => {
    let answer: (isHeld: boolean) => void = () => undefined;
    const { renewedAt, stop } = setUp(
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    );
    await vi.advanceTimersByTimeAsync(3 * HOLD_IS_RENEWED_EVERY_MS);
    expect(renewedAt).toHaveLength(1);
    answer(true);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(renewedAt).toHaveLength(2);
    stop();
  });

  it('is left alone when somebody has ended it', async () => {
    const { renewedAt } = setUp(async () => false);
    await vi.advanceTimersByTimeAsync(HOLD_IS_DEAD_AFTER_MS);
    expect(renewedAt).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
