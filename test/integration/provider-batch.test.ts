import { toFile, type OpenAI } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkBatch } from '../../scripts/check-batch.ts';
import { batchLine, isOver, lineIds, resultLines, waitForBatch } from '../support/batch-run.ts';
import { startGateway, type Gateway } from '../support/gateway.ts';

const MODEL = 'gpt-5.5';
/** Four chunks and a part of one: three begin at once, and wait for the plan. */
const LINES = 1_100;
const BY_THE_PLAN = 60;
const BY_THE_PROVIDER = LINES - 750;

interface Progress {
  readonly by_lane: readonly {
    readonly account: string;
    readonly completed: number;
    readonly cost_usd: number;
    readonly meter_usd: number;
  }[];
}

describe('a batch whose plan is out for longer than it can wait', () => {
  let gateway: Gateway;
  let client: OpenAI;

  beforeAll(async () => {
    gateway = await startGateway({ home: { exhaustAfter: BY_THE_PLAN, resetsInSeconds: 20 * 3_600 } });
    const { admin, chatgpt, openai } = gateway;
    const home = await admin.addAccount('home', (code) => chatgpt.approve(code, 'home'));
    const { lane } = await admin.call<{ lane: { id: string } }>('POST', '/admin/key-lanes', {
      alias: 'meter',
      baseUrl: openai.url,
      apiKey: openai.key,
      allowPrivateAddresses: true,
      batchPriceShare: 0.5,
    });
    await admin.setRoute(MODEL, [home.id, lane.id]);
    client = gateway.client();
  });
  afterAll(() => gateway.stop());

  it(
    'sends what has not begun to the provider’s Batch API, and the rest when its owner says so',
    { timeout: 120_000 },
    async () => {
      const { openai, url, adminKey } = gateway;
      openai.script({ batch: { failNext: 1 } });
      const ids = lineIds(LINES);
      const content = Buffer.from(ids.map((id) => `${batchLine(id, MODEL)}\n`).join(''));
      const file = await client.files.create({ file: await toFile(content, 'lines.jsonl'), purpose: 'batch' });
      const { id } = await client.batches.create({
        input_file_id: file.id,
        endpoint: '/v1/chat/completions',
        completion_window: '24h',
      });
      // The last chunks are served as a whole, by the second try, while the first ones wait for the plan.
      await waitForBatch(
        client,
        id,
        ({ request_counts }) => (request_counts?.completed ?? 0) >= BY_THE_PLAN + BY_THE_PROVIDER,
      );
      expect(openai.batches.made()).toMatchObject([
        { metadata: { flatlane_part: `${id}:run1:1` } },
        { metadata: { flatlane_part: `${id}:run1:2` } },
      ]);
      await expect.poll(() => openai.batches.files()).toBe(0);

      const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' };
      const response = await fetch(`${url}/v1/batches/${id}/control`, {
        method: 'POST',
        headers,
        body: JSON.stringify({ spill: 'now' }),
      });
      expect(response.status).toBe(200);
      const batch = await waitForBatch(client, id, isOver);
      expect(batch.request_counts).toEqual({ total: LINES, completed: LINES, failed: 0 });
      const output = await resultLines(client, batch.output_file_id);
      expect(checkBatch(ids, output, [])).toMatchObject({ completed: LINES, lost: [], twice: [], strangers: [] });

      const progress = (await (await fetch(`${url}/v1/batches/${id}/progress`, { headers })).json()) as Progress;
      const meter = progress.by_lane.find(({ account }) => account === 'meter');
      expect(meter).toMatchObject({ completed: LINES - BY_THE_PLAN, failed: 0 });
      // 350 lines at half the price, and 690 at the whole one.
      const share = (meter?.cost_usd ?? 0) / (meter?.meter_usd ?? 1);
      expect(share).toBeCloseTo(
        (0.5 * BY_THE_PROVIDER + (LINES - BY_THE_PLAN - BY_THE_PROVIDER)) / (LINES - BY_THE_PLAN),
        2,
      );
    },
  );
});
