import { toFile } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BatchQuote } from '../../api/quotes/make-quote.ts';
import { batchLine, isOver, lineIds, waitForBatch } from '../support/batch-run.ts';
import { startGateway, type Gateway } from '../support/gateway.ts';

const MODEL = 'gpt-5.5';

describe('a quote on real parts', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await startGateway({ home: {} });
    const { admin, chatgpt, openai } = gateway;
    const home = await admin.addAccount('home', (code) => chatgpt.approve(code, 'home'));
    const meter = await admin.addKeyLane({ alias: 'meter', baseUrl: openai.url, apiKey: openai.key });
    await admin.setRoute(MODEL, [home.id, meter]);
  });
  afterAll(() => gateway.stop());

  it('says what a batch will take, calls nobody for it, and is compared with what it took', async () => {
    const client = gateway.client();
    const lines = lineIds(30).map((id) => batchLine(id, MODEL));
    const file = await client.files.create({
      file: await toFile(Buffer.from(`${lines.join('\n')}\n`), 'lines.jsonl'),
      purpose: 'batch',
    });
    const wish = { input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h' } as const;
    const callsBefore = gateway.chatgpt.counts().calls + gateway.openai.counts().calls;
    const quote = await client.post<BatchQuote>('/batches/quote', { body: wish });
    expect(gateway.chatgpt.counts().calls + gateway.openai.counts().calls).toBe(callsBefore);
    expect(quote).toMatchObject({
      lines: { total: 30, invalid: 0 },
      models: [{ model: MODEL, lines: 30, served: true, plan_lanes: ['home'], key_lanes: ['meter'] }],
      accounts: [{ account: 'home' }],
    });
    expect(quote.accounts[0]?.windows.map(({ name }) => name)).toEqual(['week', 'five_hours']);

    const { id } = await client.batches.create(wish);
    await waitForBatch(client, id, isOver);
    const compared = await client.get<{ quote: BatchQuote; actual: Record<string, unknown> }>(`/batches/${id}/quote`);
    expect(compared.quote).toEqual(quote);
    expect(compared.actual).toMatchObject({
      status: 'completed',
      is_final: true,
      lines: { total: 30, completed: 30, failed: 0 },
      cost_usd: 0,
    });
    expect(compared.actual['meter_usd']).toBeGreaterThan(0);

    // Thirty answers are enough to go by.
    const again = await client.post<BatchQuote>('/batches/quote', { body: wish });
    expect(again.models[0]?.output_tokens.basis).toBe('measured');
    const actual = Number(compared.actual['output_tokens']);
    expect(again.output_tokens.low).toBeLessThanOrEqual(actual);
    expect(again.output_tokens.high).toBeGreaterThanOrEqual(actual);
    expect(again.expected.basis).toBe('measured');
  });
});
