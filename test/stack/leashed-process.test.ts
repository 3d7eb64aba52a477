import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { describeEnd, startLeashed, type LeashedProcess } from '../../stack/leashed-process.ts';
import { isProcessAlive } from '../../core/process-alive.ts';

function start(script: string, more: { graceMs?: number; watchesStdin?: boolean } = {}): LeashedProcess {
  return startLeashed({ file: process.execPath, args: ['-e', script], env: {}, graceMs: 5_000, ...more });
}

const lineOf = (running: LeashedProcess): Promise<string> => new Promise((resolve) => running.onLine(resolve));
const pidOf = (running: LeashedProcess): Promise<number> => new Promise((resolve) => running.onPid(resolve));

describe('a process on the leash', () => {
  it("reports the program's own process id and output", async () => {
    const running = start('console.log(process.pid); setInterval(() => {}, 1000)');
    const line = await lineOf(running);
    expect(running.pid).toBe(Number(line));
    await running.stop();
    expect(running.pid).toBeNull();
  });

  it('lets the program end in an orderly way', async () => {
    const running = start(
      "process.on('SIGTERM', () => { console.log('closing'); process.exit(7); }); console.log('up'); setInterval(() => {}, 1000)",
    );
    await lineOf(running);
    await running.stop();
    expect(await running.ended).toEqual({ code: 7, signal: null, error: null });
    expect(running.tail()).toBe('up\nclosing');
  });

  it('kills a program that ignores the request, after the grace', async () => {
    const running = start("process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1000)", {
      graceMs: 100,
    });
    const [pid] = await Promise.all([pidOf(running), lineOf(running)]);
    await running.stop();
    expect(isProcessAlive(pid)).toBe(false);
  });

  it('ends a program that watches its standard input by closing that', async () => {
    const running = start("process.stdin.on('end', () => process.exit(5)).resume(); console.log('up')", {
      watchesStdin: true,
    });
    await lineOf(running);
    await running.stop();
    expect((await running.ended).code).toBe(5);
  });

  it('says how a program ended by itself', async () => {
    const running = start("console.error('no luck'); process.exit(3)");
    expect(describeEnd(await running.ended)).toBe('ended with code 3');
    expect(running.tail()).toBe('no luck');
    const killed = start("process.kill(process.pid, 'SIGKILL')");
    expect(describeEnd(await killed.ended)).toBe('was ended by SIGKILL');
  });

  it.each([false, true])('says that a program is not there (watching its own input: %s)', async (watchesStdin) => {
    const running = startLeashed({ file: '/nowhere/program', args: [], env: {}, graceMs: 1_000, watchesStdin });
    expect(describeEnd(await running.ended)).toMatch(/^could not be started: .*ENOENT/);
    await running.stop();
  });

  it('is out of reach of a Ctrl-C in the terminal: it has a process group of its own', async () => {
    const groupOf = (pid: number): string =>
      execFileSync('ps', ['-o', 'pgid=', '-p', String(pid)], { encoding: 'utf8' });
    for (const watchesStdin of [false, true]) {
      // Under the watchdog a program has no standard input that could end.
      const ends = watchesStdin ? "process.stdin.on('end', () => process.exit()).resume(); " : '';
      const running = start(`${ends}setInterval(() => {}, 1000)`, { watchesStdin });
      const pid = await pidOf(running);
      expect(groupOf(pid)).not.toBe(groupOf(process.pid));
      await running.stop();
    }
  });

  it('takes the program with it when the watchdog itself is killed', async () => {
    const running = start('console.log(process.ppid); setInterval(() => {}, 1000)');
    const [pid, watchdog] = await Promise.all([pidOf(running), lineOf(running)]);
    process.kill(Number(watchdog), 'SIGKILL');
    await running.ended;
    await expect.poll(() => isProcessAlive(pid)).toBe(false);
  });

  it('does not take the starter down when a program ends while it is asked to stop', async () => {
    const running = start('process.exit(0)');
    await Promise.all([running.stop(), running.stop()]);
    expect((await running.ended).error).toBeNull();
  });
});
