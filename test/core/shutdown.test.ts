import { describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../core/log.ts';
import { createShutdown } from '../../core/shutdown.ts';

const LONG_MS = 60_000;

function setUp() {
  const log = createLogger('silent', 'test');
  const warned = vi.spyOn(log, 'warn');
  const stopped: string[] = [];
  const shutdown = createShutdown(log);
  const stop = (phase: string) => async () => {
    stopped.push(phase);
  };
  /** The phases that were reported as failed, with the reason. */
  const failures = (): string[] =>
    (warned.mock.calls as unknown as [{ phase: string; err: Error }][]).map(
      ([{ phase, err }]) => `${phase}: ${err.message}`,
    );
  return { shutdown, stopped, stop, failures };
}

describe('the shutdown', () => {
  it('stops last what was started first', async () => {
    const { shutdown, stopped, stop, failures } = setUp();
    for (const phase of ['store', 'worker', 'api']) shutdown.add(phase, LONG_MS, stop(phase));
    await shutdown.run();
    expect(stopped).toEqual(['api', 'worker', 'store']);
    expect(failures()).toEqual([]);
  });

  it('waits for a phase before it begins the next', async () => {
    const { shutdown, stopped, stop } = setUp();
    let release = (): void => {};
    shutdown.add('store', LONG_MS, stop('store'));
    shutdown.add('worker', LONG_MS, () => new Promise<void>((resolve) => void (release = resolve)));
    const running = shutdown.run();
    await Promise.resolve();
    expect(stopped).toEqual([]);
    release();
    await running;
    expect(stopped).toEqual(['store']);
  });

  it('goes on after a phase that fails, and says which', async () => {
    const { shutdown, stopped, stop, failures } = setUp();
    shutdown.add('store', LONG_MS, stop('store'));
    shutdown.add('worker', LONG_MS, () => Promise.reject(new Error('broken')));
    await shutdown.run();
    expect(stopped).toEqual(['store']);
    expect(failures()).toEqual(['worker: broken']);
  });

  it('goes on after a phase that throws at once', async () => {
    const { shutdown, stopped, stop, failures } = setUp();
    shutdown.add('store', LONG_MS, stop('store'));
    shutdown.add('worker', LONG_MS, () => {
      throw new Error('broken at once');
    });
    await shutdown.run();
    expect(stopped).toEqual(['store']);
    expect(failures()).toEqual(['worker: broken at once']);
  });

  it('leaves behind a phase that is not over within its limit', async () => {
    const { shutdown, stopped, stop, failures } = setUp();
    shutdown.add('store', LONG_MS, stop('store'));
    shutdown.add('worker', 20, () => new Promise<never>(() => {}));
    await shutdown.run();
    expect(stopped).toEqual(['store']);
    expect(failures()).toEqual(['worker: not over after 20 ms']);
  });

  it('runs once, however often it is asked', async () => {
    const { shutdown, stopped, stop } = setUp();
    shutdown.add('store', LONG_MS, stop('store'));
    await Promise.all([shutdown.run(), shutdown.run()]);
    await shutdown.run();
    expect(stopped).toEqual(['store']);
  });
});
