import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApart, type Apart } from '../support/apart.ts';
import { batchLine, checkFinishedBatch, isOver, lineIds, startBatch, waitForBatch } from '../support/batch-run.ts';

const MODEL = 'gpt-5.5';
/** Long enough that lines are on their way when a process is killed. */
const ANSWER_DELAY_MS = 40;
const PLAN_SLOTS = 2 * 4;
const KEY_SLOTS = 32;

describe('a batch of 500 lines and more', () => {
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

  /** Calls that the stand-ins have seen, for all lines so far. */
  const upstreamCalls = (): number => apart.chatgpt.counts().calls + apart.openai.counts().calls;

  /** Runs a batch in which home runs out, then work; `fault` strikes when a part is done. Returns what the checker found. */
  const runWithFault = async (lines: number, faultAt: number, fault: () => Promise<void>) => {
    const { openaiClient, chatgpt, stores } = apart;
    chatgpt.resetWindow('home');
    chatgpt.resetWindow('work');
    for (const lane of await stores.lanes.list()) await stores.lanes.transition(lane._id, 'ready', Date.now());
    chatgpt.script('home', { exhaustAfter: Math.round(lines * 0.4) });
    chatgpt.script('work', { exhaustAfter: Math.round(lines * 0.3) });
    const callsBefore = upstreamCalls();
    const ids = lineIds(lines);
    const started = await startBatch(
      openaiClient,
      ids.map((id) => batchLine(id, MODEL)),
    );
    await waitForBatch(openaiClient, started.id, (batch) => (batch.request_counts?.completed ?? 0) >= faultAt);
    await fault();
    const batch = await waitForBatch(openaiClient, started.id, isOver);
    const check = await checkFinishedBatch(openaiClient, stores, batch, ids);
    return { batch, check, wasted: upstreamCalls() - callsBefore - lines };
  };

  const flawless = (lines: number) => ({
    completed: lines,
    failed: 0,
    lost: [],
    twice: [],
    strangers: [],
    unbalanced: [],
  });

  it('comes out whole when the worker is killed in the middle', async () => {
    const { batch, check, wasted } = await runWithFault(600, 150, async () => {
      await apart.worker().kill();
      await apart.startWorker();
    });
    expect(batch.status).toBe('completed');
    expect(batch.request_counts).toEqual({ total: 600, completed: 600, failed: 0 });
    expect(check).toMatchObject(flawless(600));
    // In flight at the kill, and the calls with which each account learnt that it had run out.
    expect(wasted).toBeLessThanOrEqual(PLAN_SLOTS + KEY_SLOTS + PLAN_SLOTS);
  });

  it('comes out whole when the codex processes are killed in the middle', async () => {
    const { batch, check } = await runWithFault(500, 100, async () => {
      const codex = await childrenOf(apart.worker().pid, 'codex');
      expect(codex.length).toBe(2);
      for (const pid of codex) process.kill(pid, 'SIGKILL');
    });
    expect(batch.status).toBe('completed');
    expect(check).toMatchObject(flawless(500));
  });

  it('comes out whole when MongoDB is killed in the middle', async () => {
    const { batch, check, wasted } = await runWithFault(500, 100, async () => {
      const { pid } = apart.mongodb;
      if (pid === null) throw new Error('MongoDB does not run');
      process.kill(pid, 'SIGKILL');
    });
    expect(batch.status).toBe('completed');
    expect(batch.request_counts).toEqual({ total: 500, completed: 500, failed: 0 });
    expect(check).toMatchObject(flawless(500));
    // An answer that was on its way is held until the database is back: nothing is asked for again.
    expect(wasted).toBeLessThanOrEqual(PLAN_SLOTS);
    expect(check.paidTwice).toBe(0);
  });

  it('comes out whole when the Temporal server is killed in the middle', async () => {
    const { batch, check } = await runWithFault(500, 100, async () => {
      const { pid } = apart.temporal;
      if (pid === null) throw new Error('the Temporal server does not run');
      process.kill(pid, 'SIGKILL');
    });
    expect(batch.status).toBe('completed');
    expect(check).toMatchObject(flawless(500));
  });
});

/** Processes that a process of ours has started, by a word in their command line. */
async function childrenOf(pid: number, word: string): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  const children = text.trim().split(' ').filter(Boolean).map(Number);
  const lines = await Promise.all(children.map((child) => readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '')));
  return children.filter((_, index) => lines[index]?.includes(word));
}
