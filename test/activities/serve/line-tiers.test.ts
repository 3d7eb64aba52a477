import { describe, expect, it } from 'vitest';
import type { LaneOutcome } from '../../../core/lane-port.ts';
import { answered, setUpLines, usage } from '../../support/served-lines.ts';

describe('the money of lines at a service tier of its own price', () => {
  it('is refused to a line alone whose tier has a price that nobody knows', async () => {
    const { world, called, run } = setUpLines(async () => answered, 1, { maxMicros: 100, roomMicros: 100 }, 'priority');
    const results = await run();
    expect(results.map(({ failure }) => failure?.class)).toEqual([undefined, 'consent_spent', undefined]);
    expect(results[1]?.failure).toMatchObject({
      reachedUpstream: false,
      reason: expect.stringContaining('tier') as string,
    });
    expect(called).toEqual(['batch_a:000001', 'batch_a:000003']);
    expect(world.settled).toMatchObject([{ held: 20, spent: 18 }]);
  });

  it('is not held for such a line where there is no limit, and its cost is unknown', async () => {
    const atTier: LaneOutcome = { ...answered, usage: { ...usage, serviceTier: 'priority' } };
    const { world, called, recorded, run } = setUpLines(
      async ({ requestId }) => (requestId.endsWith('2') ? atTier : answered),
      1,
      {},
      'priority',
    );
    await run();
    expect(called).toHaveLength(3);
    expect(world.settled).toMatchObject([{ held: 20, spent: 18 }]);
    expect(recorded.map(({ ledger }) => ledger?.costMicros)).toEqual([9, null, 9]);
  });

  it.each([
    ['in full where it was served at a dearer tier than it asked for', undefined, 'priority', 28],
    ['at most as listed where it was served at a cheaper tier', 'flex', 'flex', 27],
  ])('counts a line %s', async (_, asked, serviceTier, spent) => {
    const atTier: LaneOutcome = { ...answered, usage: { ...usage, serviceTier } };
    const { world, recorded, run } = setUpLines(
      async ({ requestId }) => (requestId.endsWith('2') ? atTier : answered),
      1,
      { maxMicros: 100, roomMicros: 100 },
      asked,
    );
    await run();
    expect(world.settled).toMatchObject([{ held: 30, spent }]);
    expect(recorded.map(({ ledger }) => ledger?.costMicros)).toEqual([9, null, 9]);
  });
});
