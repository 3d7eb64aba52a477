import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApart, type Apart } from '../support/apart.ts';
import { flawless, killCodex, killServer, runThroughFaults } from '../support/fault-run.ts';

const MODEL = 'gpt-5.5';
const LINES = 2_000;
/** Each part is killed so often. */
const ROUNDS = 2;
const PLAN_SLOTS = 2 * 4;
const KEY_SLOTS = 8;

describe('a batch of 2,000 lines', () => {
  let apart: Apart;

  beforeAll(async () => {
    apart = await startApart({ home: { exhaustAfter: 300 }, work: { exhaustAfter: 250 } });
    const { admin, chatgpt, openai } = apart;
    const home = await admin.addAccount('home', (code) => chatgpt.approve(code, 'home'));
    const work = await admin.addAccount('work', (code) => chatgpt.approve(code, 'work'));
    const meter = { alias: 'meter', baseUrl: openai.url, apiKey: openai.key, concurrency: KEY_SLOTS };
    openai.script({ delayMs: 100 });
    await admin.setRoute(MODEL, [home.id, work.id, await admin.addKeyLane(meter)]);
  });
  afterAll(() => apart.stop());

  const kills: Readonly<Record<string, () => Promise<void>>> = {
    api: () => apart.replaceApi(),
    worker: async () => {
      await apart.worker().kill();
      await apart.startWorker();
    },
    codex: async () => void (await killCodex(apart)),
    temporal: () => killServer(apart.temporal),
    mongodb: () => killServer(apart.mongodb),
  };

  it('comes out whole when every part is killed again and again, at any moment', { timeout: 400_000 }, async () => {
    const all = Object.entries(kills);
    const count = all.length * ROUNDS;
    // One kill somewhere in each stretch of the batch; which part it hits is drawn as well, each as often as the others.
    const stretch = Math.floor((LINES * 0.9) / count);
    const drawn = shuffle(Array.from({ length: ROUNDS }, () => all).flat());
    const strikes = drawn.map(([, strike], index) => ({ at: index * stretch + randomInt(1, stretch), strike }));
    const story = drawn.map(([name], index) => `${name} at ${strikes[index]?.at}`).join(', ');

    const name = `kill -9 of ${count} parts at random`;
    const { batch, check, wasted } = await runThroughFaults(apart, { name, model: MODEL, lines: LINES, strikes });
    expect(batch.status, story).toBe('completed');
    expect(batch.request_counts, story).toEqual({ total: LINES, completed: LINES, failed: 0 });
    expect(check, story).toMatchObject(flawless(LINES));
    // In flight at each kill, and the calls with which each account learnt that it had run out.
    expect(wasted, story).toBeLessThanOrEqual((count + 1) * (PLAN_SLOTS + KEY_SLOTS));
  });
});

function shuffle<Item>(items: readonly Item[]): Item[] {
  const rest = [...items];
  return items.flatMap(() => rest.splice(randomInt(rest.length), 1));
}
