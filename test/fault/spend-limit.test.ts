import { afterAll, beforeAll, expect, it } from 'vitest';
import { formatUsd } from '../../core/wire/batch-wishes.ts';
import { startApart, type Apart } from '../support/apart.ts';
import { recordFault } from '../support/fault-table.ts';
import { isOver, lineIds, resultLines, startBatch, waitForBatch } from '../support/batch-run.ts';

const MODEL = 'gpt-5.4-mini';
const LINES = 90;
const LIMIT_MICROS = 9_000;

let apart: Apart;
beforeAll(async () => {
  apart = await startApart({});
  const { admin, openai } = apart;
  const key = await admin.addKeyLane({ alias: 'meter', baseUrl: openai.url, apiKey: openai.key, concurrency: 8 });
  await admin.setRoute(MODEL, [key]);
  openai.script({ delayMs: 60 });
});
afterAll(() => apart.stop());

it('holds when the worker is killed with lines out, and every line comes out once', async () => {
  const { openaiClient: client, stores, openai } = apart;
  const ids = lineIds(LINES);
  const body = (id: string) => ({
    model: MODEL,
    max_completion_tokens: 20,
    messages: [{ role: 'user', content: `Summarise this. id=${id}` }],
  });
  const { id } = await startBatch(
    client,
    ids.map((name) =>
      JSON.stringify({ custom_id: name, method: 'POST', url: '/v1/chat/completions', body: body(name) }),
    ),
    { metadata: { max_metered_usd: formatUsd(LIMIT_MICROS) } },
  );
  let recoverySeconds = 0;
  for (const at of [15, 40]) {
    await waitForBatch(client, id, (batch) => (batch.request_counts?.completed ?? 0) >= at);
    const killedAt = performance.now();
    await apart.worker().kill();
    await apart.startWorker();
    recoverySeconds = Math.max(recoverySeconds, (performance.now() - killedAt) / 1000);
  }
  const batch = await waitForBatch(client, id, isOver);

  const { spend } = (await stores.batches.find(id)) ?? {};
  const ledger = await stores.ledger.listOfBatch(id);
  const costs = ledger.map(({ costMicros }) => costMicros ?? 0);
  const known = costs.reduce((sum, cost) => sum + cost, 0);
  expect(spend).toMatchObject({ holds: {}, maxMicros: LIMIT_MICROS });
  expect(spend?.paidMicros).toBeGreaterThanOrEqual(known);
  expect(spend?.paidMicros).toBeLessThanOrEqual(LIMIT_MICROS);
  expect((spend?.paidMicros ?? 0) + (spend?.roomMicros ?? 0)).toBe(LIMIT_MICROS);
  // The provider bills what it has answered, also where the answer was lost with the worker.
  expect(openai.counts().calls * Math.max(...costs)).toBeLessThanOrEqual(LIMIT_MICROS);

  const output = await resultLines(client, batch.output_file_id);
  const errors = await resultLines(client, batch.error_file_id);
  const names = [...output, ...errors].map((line) => (JSON.parse(line) as { custom_id: string }).custom_id);
  expect(names.toSorted()).toEqual(ids.toSorted());
  const wasted = openai.counts().calls - output.length;
  const fault = 'kill -9 of the worker twice, at a spend limit';
  await recordFault({ fault, lines: LINES, recoverySeconds, lost: 0, twice: 0, wasted });
  for (const line of errors) {
    expect(JSON.parse(line)).toMatchObject({ response: { body: { error: { code: 'insufficient_quota' } } } });
  }
}, 180_000);
