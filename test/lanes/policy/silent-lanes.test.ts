import { describe, expect, it } from 'vitest';
import { createSilentLanes, HOST_BEAT_MS } from '../../../lanes/policy/silent-lanes.ts';

const account = (hostBeat?: number, hostId: string | null = 'host_1') => ({
  _id: 'a',
  kind: 'plan' as const,
  hostId,
  ...(hostBeat === undefined ? {} : { hostBeat }),
});

function setUp() {
  const world = { nowMs: 0 };
  const markSilent = createSilentLanes(() => world.nowMs);
  const isSilentAfter = (passedMs: number, lane: Parameters<typeof markSilent>[0]): boolean => {
    world.nowMs += passedMs;
    return markSilent(lane).silent;
  };
  return { isSilentAfter };
}

describe('a plan lane', () => {
  it('is served while its beat goes on, however seldom somebody looks', () => {
    const { isSilentAfter } = setUp();
    expect(isSilentAfter(0, account(7))).toBe(false);
    expect(isSilentAfter(HOST_BEAT_MS, account(8))).toBe(false);
    expect(isSilentAfter(3_600_000, account(9))).toBe(false);
    expect(isSilentAfter(2 * HOST_BEAT_MS, account(9))).toBe(false);
  });

  it('is silent when its beat stands still, and served again with the next one', () => {
    const { isSilentAfter } = setUp();
    isSilentAfter(0, account(7));
    expect(isSilentAfter(6 * HOST_BEAT_MS, account(7))).toBe(true);
    expect(isSilentAfter(1, account(8))).toBe(false);
  });

  it('is given the time of a start when it is seen for the first time, also without any beat', () => {
    const { isSilentAfter } = setUp();
    expect(isSilentAfter(1_000_000, account())).toBe(false);
    expect(isSilentAfter(6 * HOST_BEAT_MS, account())).toBe(true);
  });

  it('is not silent before a worker has taken it', () => {
    const { isSilentAfter } = setUp();
    isSilentAfter(0, account(undefined, null));
    expect(isSilentAfter(3_600_000, account(undefined, null))).toBe(false);
  });
});

it('a key lane is never silent: every worker serves it', () => {
  const { isSilentAfter } = setUp();
  const lane = { _id: 'k', kind: 'key' as const, hostId: null };
  isSilentAfter(0, lane);
  expect(isSilentAfter(3_600_000, lane)).toBe(false);
});
