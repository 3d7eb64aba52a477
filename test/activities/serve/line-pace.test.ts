import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLinePace } from '../../../activities/serve/line-pace.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function createWorld(busy: number) {
  const world = { busy, started: 0 };
  const pace = createLinePace(
    () => world.busy,
    () => Date.now(),
  );
  const start = (lines: number): void => {
    for (let line = 0; line < lines; line += 1) void pace.turn().then(() => (world.started += 1));
  };
  return { world, pace, start };
}

describe('the pace of lines', () => {
  it('is their own while nobody else is there', async () => {
    const { world, start } = createWorld(1);
    start(100);
    await vi.advanceTimersByTimeAsync(0);
    expect(world.started).toBe(100);
  });

  it('lets them start a few at a time while the process has time and people are there', async () => {
    const { world, pace, start } = createWorld(0.3);
    pace.noteInteractive();
    start(50);
    await vi.advanceTimersByTimeAsync(100);
    expect(world.started).toBe(40);
    world.busy = 0.9;
    await vi.advanceTimersByTimeAsync(100);
    expect(world.started).toBe(40);
  });

  it('is their own again some time after the last request', async () => {
    const { world, pace, start } = createWorld(0.9);
    start(1);
    pace.noteInteractive();
    await vi.advanceTimersByTimeAsync(1_500);
    start(20);
    await vi.advanceTimersByTimeAsync(490);
    expect(world.started).toBe(1);
    await vi.advanceTimersByTimeAsync(30);
    expect(world.started).toBe(21);
  });

  it('makes no line give way for more than a second', async () => {
    const { world, pace, start } = createWorld(1);
    const people = setInterval(() => pace.noteInteractive(), 100);
    pace.noteInteractive();
    start(5);
    await vi.advanceTimersByTimeAsync(990);
    expect(world.started).toBe(0);
    await vi.advanceTimersByTimeAsync(20);
    expect(world.started).toBe(5);
    clearInterval(people);
  });
});
