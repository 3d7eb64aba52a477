import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createLogger } from '../../core/log.ts';
import { startLeashed } from '../../stack/leashed-process.ts';
import { createSupervisor } from '../../stack/supervisor.ts';

const launch = (script: string) => () =>
  startLeashed({ file: process.execPath, args: ['-e', script], env: {}, graceMs: 1_000 });

describe('the keeper of a server', () => {
  it('says what an exit code of the server means, at its start and later', async () => {
    const log = createLogger('silent', 'test');
    const warned = vi.spyOn(log, 'warn');
    const exitReasons = { 5: 'the disk is full' };
    const failing = createSupervisor({
      name: 'store',
      launch: launch('process.exit(5)'),
      waitUntilReady: () => sleep(60_000, undefined, { ref: false }),
      exitReasons,
      log,
    });
    await expect(failing.start()).rejects.toThrow('store ended with code 5: the disk is full');

    const later = createSupervisor({
      name: 'store',
      launch: launch('setTimeout(() => process.exit(5), 300)'),
      waitUntilReady: () => Promise.resolve(),
      exitReasons,
      log,
    });
    onTestFinished(() => later.stop());
    await later.start();
    const said = () => (warned.mock.calls as unknown as [object, string][]).map(([, message]) => message);
    await expect.poll(said).toContain('store ended with code 5: the disk is full; it is started again');
  });

  it('does not take the answer of another server for that of one that has ended', async () => {
    const supervisor = createSupervisor({
      name: 'store',
      launch: launch("console.error('address already in use'); process.exit(1)"),
      // The other one answers at any time, also in the half second in which the last output of the dead one is read.
      waitUntilReady: async (process) => {
        await expect.poll(() => process.pid, { timeout: 10_000, interval: 1 }).not.toBeNull();
        await expect.poll(() => process.pid, { timeout: 10_000, interval: 1 }).toBeNull();
      },
      log: createLogger('silent', 'test'),
    });
    await expect(supervisor.start()).rejects.toThrow('address already in use');
  });
});
