import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keepRunning } from '../../workers/keep-running.ts';
import { keptLog } from '../support/planted.ts';

// `node:timers/promises` is not faked by vitest; its sleep goes by the faked setTimeout here.
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, _value: unknown, { signal }: { signal: AbortSignal }) =>
    new Promise<void>((resolve, reject) => {
      if (signal.aborted) reject(new Error('aborted'));
      signal.addEventListener('abort', () => reject(new Error('aborted')));
      globalThis.setTimeout(resolve, ms);
    }),
}));

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

/** Workers that live until they are shut down or killed. */
function createWorkers() {
  const workers: { die(): void; state: string; shutdown(): void }[] = [];
  const world = { refuse: false };
  const create = async () => {
    if (world.refuse) throw new Error('no connection');
    let end: () => void = () => undefined;
    let die: () => void = () => undefined;
    const over = new Promise<void>((resolve, reject) => {
      end = resolve;
      die = () => reject(new Error('poller died'));
    });
    const worker = {
      state: 'INITIALIZED',
      die: () => die(),
      run: () => {
        worker.state = 'RUNNING';
        return over;
      },
      getState: () => worker.state,
      shutdown: () => {
        worker.state = 'STOPPED';
        end();
      },
    };
    workers.push(worker);
    return worker;
  };
  return { workers, world, create };
}

describe('a Temporal worker that is kept running', () => {
  it('is replaced when it dies, also when that takes several tries', async () => {
    const { workers, world, create } = createWorkers();
    const { log, lines } = keptLog();
    const stop = await keepRunning(create, 'lane.a.v1', log);
    workers[0]?.die();
    world.refuse = true;
    await vi.advanceTimersByTimeAsync(600);
    world.refuse = false;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(workers.map(({ state }) => state)).toEqual(['RUNNING', 'RUNNING']);
    expect(lines.filter((line) => line.includes('died'))).toHaveLength(2);
    await stop();
    expect(workers[1]?.state).toBe('STOPPED');
  });

  it('is not replaced when it is stopped, nor while it waits to be replaced', async () => {
    const { workers, create } = createWorkers();
    const { log } = keptLog();
    const stop = await keepRunning(create, 'q', log);
    await stop();
    const stopSecond = await keepRunning(create, 'q', log);
    workers[1]?.die();
    await vi.advanceTimersByTimeAsync(10);
    await stopSecond();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(workers).toHaveLength(2);
  });

  it('is reported when it can’t be made the first time', async () => {
    const { world, create } = createWorkers();
    world.refuse = true;
    await expect(keepRunning(create, 'q', keptLog().log)).rejects.toThrow('no connection');
  });
});
