import { describe, expect, it } from 'vitest';
import { createPoller } from '../../../api/batches/poller.ts';

const LAST = 9;

/** A poller of numbers whose reads a test lets through, one at a time. */
function setUp() {
  const world = { reads: 0, errors: [] as unknown[], idle: 0 };
  const asked: ((value: number | null | Error) => void)[] = [];
  const waiting: (() => void)[] = [];
  const poller = createPoller<number>({
    everyMs: 1,
    read: () => {
      world.reads += 1;
      return new Promise((resolve, reject) => {
        asked.push((value) => (value instanceof Error ? reject(value) : resolve(value)));
        waiting.shift()?.();
      });
    },
    isSame: (before, after) => before === after,
    isLast: (value) => value === LAST,
    onError: (error) => void world.errors.push(error),
    onIdle: () => void (world.idle += 1),
  });
  /** Answers the next read, as soon as it is asked for. */
  const answer = async (value: number | null | Error): Promise<void> => {
    if (asked.length === 0) await new Promise<void>((resolve) => void waiting.push(resolve));
    asked.shift()?.(value);
  };
  return { poller, world, answer };
}

describe('a poller', () => {
  it('reads once for all who follow, and tells each of them', async () => {
    const { poller, world, answer } = setUp();
    const followers = Array.from({ length: 50 }, () => poller.follow(new AbortController().signal));
    const first = followers.map((follower) => follower.next());
    await answer(1);
    expect(new Set((await Promise.all(first)).map(({ value }) => value))).toEqual(new Set([1]));
    const second = followers.map((follower) => follower.next());
    await answer(2);
    expect(new Set((await Promise.all(second)).map(({ value }) => value))).toEqual(new Set([2]));
    // The third read may be under way; 50 who read for themselves would have made a hundred.
    expect(world.reads).toBeLessThanOrEqual(3);
  });

  it('tells nothing while nothing changes, and ends after the last value', async () => {
    const { poller, world, answer } = setUp();
    const seen: number[] = [];
    const following = (async () => {
      for await (const value of poller.follow(new AbortController().signal)) seen.push(value);
    })();
    for (const value of [1, 1, 1, 2, 2, LAST]) await answer(value);
    await following;
    expect(seen).toEqual([1, 2, LAST]);
    expect(world).toMatchObject({ reads: 6, idle: 1 });
  });

  it('gives who comes later what is known, at once', async () => {
    const { poller, world, answer } = setUp();
    const first = poller.follow(new AbortController().signal);
    const value = first.next();
    await answer(1);
    await value;
    const readsBefore = world.reads;
    expect(await poller.follow(new AbortController().signal).next()).toEqual({ value: 1, done: false });
    expect(world.reads - readsBefore).toBeLessThanOrEqual(1);
  });

  it('goes on after a read that failed', async () => {
    const { poller, world, answer } = setUp();
    const next = poller.follow(new AbortController().signal).next();
    await answer(new Error('away'));
    await answer(3);
    expect(await next).toEqual({ value: 3, done: false });
    expect(world.errors).toHaveLength(1);
  });

  it('reads no more when nobody follows', async () => {
    const { poller, world, answer } = setUp();
    const gone = new AbortController();
    const follower = poller.follow(gone.signal);
    const value = follower.next();
    await answer(1);
    await value;
    const next = follower.next();
    gone.abort();
    expect(await next).toEqual({ value: undefined, done: true });
    expect(world.idle).toBe(1);
    // A read that was under way is answered, and none comes after it.
    await Promise.race([answer(2), new Promise((resolve) => setTimeout(resolve, 20))]);
    const reads = world.reads;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(world.reads).toBe(reads);
  });

  it('ends when what it reads is gone', async () => {
    const { poller, answer } = setUp();
    const next = poller.follow(new AbortController().signal).next();
    await answer(null);
    expect(await next).toEqual({ value: undefined, done: true });
  });
});
