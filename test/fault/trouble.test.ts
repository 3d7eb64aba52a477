import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApart, type Apart } from '../support/apart.ts';
import { flawless, pidOf, runThroughFaults } from '../support/fault-run.ts';

const MODEL = 'gpt-5.5';
const LINES = 400;
const STRIKES_AT = 60;
const STANDSTILL_MS = 10_000;
const SLOTS = 4 + 8;

const run = promisify(execFile);

describe('a batch whose surroundings misbehave', () => {
  let apart: Apart;

  beforeAll(async () => {
    const clock = pathToFileURL(join(import.meta.dirname, '..', 'support', 'movable-time.mjs')).href;
    apart = await startApart({ home: { exhaustAfter: 150 } }, { NODE_OPTIONS: `--import=${clock}` });
    const { admin, chatgpt, openai } = apart;
    const home = await admin.addAccount('home', (code) => chatgpt.approve(code, 'home'));
    openai.script({ delayMs: 60 });
    const meter = { alias: 'meter', baseUrl: openai.url, apiKey: openai.key, concurrency: 8 };
    await admin.setRoute(MODEL, [home.id, await admin.addKeyLane(meter)]);
  });
  afterAll(() => apart.stop());

  const standStill = async (pid: number): Promise<void> => {
    process.kill(pid, 'SIGSTOP');
    await sleep(STANDSTILL_MS);
    process.kill(pid, 'SIGCONT');
  };

  const strikes: readonly (readonly [name: string, strike: () => Promise<void>])[] = [
    ['MongoDB stands still for 10 s', () => standStill(pidOf(apart.mongodb))],
    ['Temporal stands still for 10 s', () => standStill(pidOf(apart.temporal))],
    [
      'the disk of MongoDB is full',
      async () => {
        const pid = pidOf(apart.mongodb);
        // No file may grow any more, as on a disk without room; a process that is started anew has room again.
        await run('prlimit', ['--pid', String(pid), '--fsize=4096']);
        await expect.poll(() => apart.mongodb.pid).not.toBe(pid);
      },
    ],
    [
      'the clock of the worker jumps 6 h ahead, and back',
      async () => {
        process.kill(apart.worker().pid, 'SIGUSR2');
        await sleep(2_000);
        process.kill(apart.worker().pid, 'SIGUSR2');
      },
    ],
  ];

  it.each(strikes)('comes out whole when %s', { timeout: 240_000 }, async (name, strike) => {
    const { batch, check, wasted } = await runThroughFaults(apart, {
      name,
      model: MODEL,
      lines: LINES,
      strikes: [{ at: STRIKES_AT, strike }],
    });
    expect(batch.status).toBe('completed');
    expect(check).toMatchObject(flawless(LINES));
    // In flight when it happened, and when the account ran out or was thought to be back.
    expect(wasted).toBeLessThanOrEqual(3 * SLOTS);
  });
});
