import { createHash } from 'node:crypto';
import { toFile } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApart, type Apart } from '../support/apart.ts';
import { flawless, killCodex, killServer, pidOf, runThroughFaults, type FaultRun } from '../support/fault-run.ts';

const MODEL = 'gpt-5.5';
/** Long enough that lines are on their way when a process is killed. */
const ANSWER_DELAY_MS = 40;
const PLAN_SLOTS = 2 * 4;
const KEY_SLOTS = 32;

describe('a batch of 500 lines and more', { timeout: 240_000 }, () => {
  let apart: Apart;

  beforeAll(async () => {
    apart = await startApart({ home: { delayMs: ANSWER_DELAY_MS }, work: { delayMs: ANSWER_DELAY_MS } });
    const { admin, chatgpt, openai } = apart;
    const home = await admin.addAccount('home', (code) => chatgpt.approve(code, 'home'));
    const work = await admin.addAccount('work', (code) => chatgpt.approve(code, 'work'));
    const key = await admin.addKeyLane({
      alias: 'meter',
      baseUrl: openai.url,
      apiKey: openai.key,
      concurrency: KEY_SLOTS,
    });
    openai.script({ delayMs: ANSWER_DELAY_MS });
    await admin.setRoute(MODEL, [home.id, work.id, key]);
  });
  afterAll(() => apart.stop());

  /** Runs a batch in which home runs out, then work; the fault strikes when a part is done. */
  const runWithFault = async (
    name: string,
    lines: number,
    at: number,
    strike: () => Promise<void>,
  ): Promise<FaultRun> => {
    const { chatgpt, stores } = apart;
    chatgpt.resetWindow('home');
    chatgpt.resetWindow('work');
    for (const lane of await stores.lanes.list()) await stores.lanes.transition(lane._id, 'ready', Date.now());
    chatgpt.script('home', { exhaustAfter: Math.round(lines * 0.25) });
    chatgpt.script('work', { exhaustAfter: Math.round(lines * 0.15) });
    return runThroughFaults(apart, { name, model: MODEL, lines, strikes: [{ at, strike }] });
  };

  it('comes out whole when the worker is killed in the middle', async () => {
    const { batch, check, wasted } = await runWithFault('kill -9 of the worker', 600, 150, async () => {
      await apart.worker().kill();
      await apart.startWorker();
    });
    expect(batch.status).toBe('completed');
    expect(batch.request_counts).toEqual({ total: 600, completed: 600, failed: 0 });
    expect(check).toMatchObject(flawless(600));
    // In flight at the kill, and the calls with which each account learnt that it had run out.
    expect(wasted).toBeLessThanOrEqual(PLAN_SLOTS + KEY_SLOTS + PLAN_SLOTS);
  });

  it('sends no line twice when the worker is stopped in order in the middle', async () => {
    const { admin, openai } = apart;
    const slow = await admin.addKeyLane({
      alias: 'slow',
      baseUrl: openai.url,
      apiKey: openai.key,
      models: ['slow-model'],
      concurrency: 4,
    });
    await admin.setRoute('slow-model', [slow]);
    openai.script({ delayMs: 500 });
    const { batch, check, wasted } = await runThroughFaults(apart, {
      name: 'SIGTERM to the worker',
      model: 'slow-model',
      lines: 60,
      strikes: [
        {
          at: 12,
          strike: async () => {
            await apart.worker().stop();
            await apart.startWorker();
          },
        },
      ],
    });
    openai.script({ delayMs: ANSWER_DELAY_MS });
    expect(batch.status).toBe('completed');
    expect(check).toMatchObject(flawless(60));
    expect(wasted).toBe(0);
  });

  it('comes out whole when the codex processes are killed in the middle', async () => {
    const { batch, check } = await runWithFault('kill -9 of both Codex CLIs', 500, 100, async () => {
      expect(await killCodex(apart)).toBe(2);
    });
    expect(batch.status).toBe('completed');
    expect(check).toMatchObject(flawless(500));
  });

  it('comes out whole when MongoDB is killed in the middle', async () => {
    const { batch, check, wasted } = await runWithFault('kill -9 of MongoDB', 500, 100, () =>
      killServer(apart.mongodb),
    );
    expect(batch.status).toBe('completed');
    expect(batch.request_counts).toEqual({ total: 500, completed: 500, failed: 0 });
    expect(check).toMatchObject(flawless(500));
    // An answer that was on its way is held until the database is back: nothing is asked for again.
    expect(wasted).toBeLessThanOrEqual(PLAN_SLOTS);
    expect(check.paidTwice).toBe(0);
  });

  it('is read to its end when MongoDB is killed in the middle of the download', async () => {
    const { openaiClient: client } = apart;
    const content = Buffer.from('{"more":"than the connection holds"}\n'.repeat(500_000));
    const { id } = await client.files.create({ file: await toFile(content, 'lines.jsonl'), purpose: 'batch' });
    const { body } = await client.files.content(id);
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const piece of body ?? []) {
      if (bytes === 0) process.kill(pidOf(apart.mongodb), 'SIGKILL');
      hash.update(piece);
      bytes += piece.length;
    }
    expect(bytes).toBe(content.length);
    expect(hash.digest('hex')).toBe(createHash('sha256').update(content).digest('hex'));
  });

  it('comes out whole when the Temporal server is killed in the middle', async () => {
    const { batch, check } = await runWithFault('kill -9 of Temporal', 500, 100, () => killServer(apart.temporal));
    expect(batch.status).toBe('completed');
    expect(check).toMatchObject(flawless(500));
  });
});
