import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../../core/log.ts';
import type { CodexProcess } from '../../../lanes/codex/codex-process.ts';
import { createKeptProcess } from '../../../lanes/codex/keep-alive.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface FakeProcess extends CodexProcess {
  die(): Promise<void>;
}

function fakeProcess(pid: number): FakeProcess {
  let exit: () => void = () => undefined;
  const exited = new Promise<void>((resolve) => {
    exit = resolve;
  });
  const die = async (): Promise<void> => {
    exit();
    await vi.advanceTimersByTimeAsync(0);
  };
  return {
    pid,
    exited,
    die,
    stop: async () => exit(),
    rpc: {} as CodexProcess['rpc'],
    configWarnings: () => [],
    onExit: () => () => undefined,
  };
}

function kept(starts: (() => Promise<CodexProcess>)[], onUp: () => Promise<void> = async () => undefined) {
  let started = 0;
  const keeper = createKeptProcess({
    startProcess: () => {
      started += 1;
      return starts.shift()?.() ?? Promise.reject(new Error('does not start'));
    },
    onUp,
    log: createLogger('silent', 'test'),
  });
  return { keeper, started: () => started };
}

describe('createKeptProcess', () => {
  it('starts the next process 100 ms after one has died, and hands it to those who wait', async () => {
    const [first, second] = [fakeProcess(1), fakeProcess(2)];
    const { keeper } = kept([async () => first, async () => second]);
    await keeper.start();
    await first.die();
    expect(keeper.current()).toBeUndefined();
    const waiting = keeper.get(5_000);
    await vi.advanceTimersByTimeAsync(100);
    expect(await waiting).toBe(second);
  });

  it('ends a process also while it comes up, and lets nobody have it', async () => {
    const first = fakeProcess(1);
    // It is read from it whether it is signed in: that ends with the process.
    const { keeper } = kept([async () => first], () =>
      first.exited.then(() => Promise.reject(new Error('it is gone'))),
    );
    const starting = keeper.start().catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(0);
    await keeper.stop();
    expect(await starting).toMatchObject({ message: 'it is gone' });
    expect(keeper.current()).toBeUndefined();
  });

  it('waits longer after each start that fails, and 30 s at most', async () => {
    const first = fakeProcess(1);
    const { keeper, started } = kept([async () => first]);
    await keeper.start();
    await first.die();
    for (const delayMs of [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]) {
      const before = started();
      await vi.advanceTimersByTimeAsync(delayMs - 1);
      expect(started()).toBe(before);
      await vi.advanceTimersByTimeAsync(1);
      expect(started()).toBe(before + 1);
    }
  });

  it('gives those who wait nothing when no process comes in time', async () => {
    const first = fakeProcess(1);
    const { keeper } = kept([async () => first]);
    await keeper.start();
    await first.die();
    const waiting = keeper.get(50);
    await vi.advanceTimersByTimeAsync(50);
    expect(await waiting).toBeUndefined();
  });

  it('ends a process that can not be looked at after its start', async () => {
    const first = fakeProcess(1);
    const stop = vi.spyOn(first, 'stop');
    const { keeper } = kept([async () => first], () => Promise.reject(new Error('no models')));
    await expect(keeper.start()).rejects.toThrow('no models');
    expect(stop).toHaveBeenCalledOnce();
    expect(keeper.current()).toBeUndefined();
  });

  it('starts no other after a stop', async () => {
    const first = fakeProcess(1);
    const { keeper, started } = kept([async () => first, async () => fakeProcess(2)]);
    await keeper.start();
    await keeper.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    await expect(keeper.start()).rejects.toThrow('is being stopped');
    expect(started()).toBe(1);
    expect(await keeper.get(1_000)).toBeUndefined();
  });
});

describe('a second start', () => {
  it('goes on with the process that runs, looked at anew', async () => {
    const first = fakeProcess(1);
    const onUp = vi.fn(async () => undefined);
    const { keeper, started } = kept([async () => first, async () => fakeProcess(2)], onUp);
    await keeper.start();
    expect(await keeper.start()).toBe(first);
    expect(started()).toBe(1);
    expect(onUp).toHaveBeenCalledTimes(2);
  });

  it('waits for the process that comes up', async () => {
    const first = fakeProcess(1);
    const { keeper, started } = kept([async () => first, async () => fakeProcess(2)]);
    expect(await Promise.all([keeper.start(), keeper.start()])).toEqual([first, first]);
    expect(started()).toBe(1);
  });

  it('takes the place of one that waits for its time', async () => {
    const [first, second] = [fakeProcess(1), fakeProcess(2)];
    const { keeper, started } = kept([async () => first, async () => second, async () => fakeProcess(3)]);
    await keeper.start();
    await first.die();
    expect(await keeper.start()).toBe(second);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(started()).toBe(2);
    expect(keeper.current()).toBe(second);
  });

  it('leaves it to the one that waits for its time when it fails', async () => {
    const [first, third] = [fakeProcess(1), fakeProcess(3)];
    const { keeper } = kept([async () => first, () => Promise.reject(new Error('not now')), async () => third]);
    await keeper.start();
    await first.die();
    await expect(keeper.start()).rejects.toThrow('not now');
    await vi.advanceTimersByTimeAsync(100);
    expect(keeper.current()).toBe(third);
  });

  it('ends the process that runs when it can not be looked at, and another one comes', async () => {
    const [first, second] = [fakeProcess(1), fakeProcess(2)];
    const onUp = vi.fn(async () => undefined);
    const { keeper } = kept([async () => first, async () => second], onUp);
    await keeper.start();
    onUp.mockRejectedValueOnce(new Error('no answer'));
    await expect(keeper.start()).rejects.toThrow('no answer');
    expect(keeper.current()).toBeUndefined();
    await vi.advanceTimersByTimeAsync(100);
    expect(keeper.current()).toBe(second);
  });
});
