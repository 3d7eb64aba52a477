import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BatchProgress } from '../../core/wire/batch-progress.ts';
import { batchLine, isOver, lineIds, resultLines, startBatch, waitForBatch } from '../support/batch-run.ts';
import { startGateway, type Gateway } from '../support/gateway.ts';
import { spawnNode, type SpawnedNode } from '../support/spawned-node.ts';

const MODEL = 'gpt-5.4';

describe('a batch that somebody watches', () => {
  let gateway: Gateway;
  let client: OpenAI;
  let key: string;
  let folder: string;
  beforeAll(async () => {
    gateway = await startGateway();
    folder = await mkdtemp(join(tmpdir(), 'flatlane-batches-'));
    const { admin, openai } = gateway;
    for (const alias of ['first', 'second']) {
      await admin.addKeyLane({ alias, baseUrl: openai.url, apiKey: openai.key, models: [MODEL] });
    }
    key = await admin.createKey('watcher', false);
    client = gateway.client(key);
  });
  afterAll(async () => {
    await gateway.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${gateway.url}/v1/batches/${path}`, { headers: { authorization: `Bearer ${key}`, ...headers } });
  const cli = (...args: string[]): SpawnedNode =>
    spawnNode('cli/main.js', ['batches', ...args], {
      FLATLANE_API_KEY: key,
      FLATLANE_BASE_URL: `${gateway.url}/v1`,
    });
  const idsOf = (text: string): string[] =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { custom_id: string }).custom_id);

  it('tells its progress as events that only grow, up to what the batch says of itself', async () => {
    const ids = lineIds(80);
    const { id } = await startBatch(
      client,
      ids.map((one, index) => batchLine(one, MODEL, index % 20 === 7 ? '[[context]]' : '[[delay:200]]')),
    );
    const seen: BatchProgress[] = [];
    const response = await get(`${id}/progress`, { accept: 'text/event-stream' });
    const text = response.text();
    // Results so far are whole lines of a prefix that grows, whenever one looks.
    await waitForBatch(client, id, ({ request_counts: counts }) => (counts?.completed ?? 0) > 0);
    const soFar = idsOf(await (await get(`${id}/results`)).text());
    expect(soFar.length).toBeGreaterThan(0);
    expect(ids).toEqual(expect.arrayContaining(soFar));
    for (const block of (await text).split('\n\n')) {
      const data = /^event: progress\ndata: (.*)$/.exec(block)?.[1];
      if (data !== undefined) seen.push(JSON.parse(data) as BatchProgress);
    }
    const batch = await client.batches.retrieve(id);
    expect(batch.request_counts).toEqual({ total: 80, completed: 76, failed: 4 });
    const last = seen.at(-1);
    expect(last).toMatchObject({ status: 'completed', lines: { ...batch.request_counts, waiting: 0 } });
    for (const pick of [
      ({ lines }: BatchProgress) => lines.completed,
      ({ lines }: BatchProgress) => lines.failed,
      ({ cost_usd }: BatchProgress) => cost_usd ?? 0,
    ]) {
      const values = seen.map(pick);
      expect(values).toEqual(values.toSorted((a, b) => a - b));
    }
    const byLane = last?.by_lane ?? [];
    expect(byLane.reduce((sum, { completed }) => sum + completed, 0)).toBe(76);
    expect(byLane.every(({ account }) => account === 'first' || account === 'second')).toBe(true);
    const lanes = await gateway.admin.call<{ data: { costMicros: number }[] }>('GET', `/admin/batches/${id}/lanes`);
    const paid = lanes.data.reduce((sum, { costMicros }) => sum + costMicros, 0);
    expect(paid).toBeGreaterThan(0);
    expect(Math.round((last?.cost_usd ?? 0) * 1_000_000)).toBe(paid);
    const output = await resultLines(client, batch.output_file_id);
    expect(await (await get(`${id}/results?kind=completed`)).text()).toBe(`${output.join('\n')}\n`);
  });

  it('is retried for the lines alone that have no answer, on the lane that is named', async () => {
    // More than lanes have out at a time, so that some are left when it is cancelled.
    const ids = lineIds(150);
    const { id } = await startBatch(
      client,
      ids.map((one) => batchLine(one, MODEL, '[[delay:400]]')),
    );
    await waitForBatch(client, id, ({ request_counts: counts }) => (counts?.completed ?? 0) > 0);
    await client.batches.cancel(id);
    const cancelled = await waitForBatch(client, id, isOver);
    const answered = idsOf((await resultLines(client, cancelled.output_file_id)).join('\n'));
    expect(answered.length).toBeLessThan(150);

    const command = cli('retry', id, '--lanes', 'second', '--wait');
    expect(await command.ended, command.output()).toBe(0);
    const retryId = /batch_[0-9a-f]{32}/.exec(command.output())?.[0] ?? '';
    const retried = await client.batches.retrieve(retryId);
    expect(retried.request_counts).toEqual({
      total: 150 - answered.length,
      completed: 150 - answered.length,
      failed: 0,
    });
    const again = idsOf((await resultLines(client, retried.output_file_id)).join('\n'));
    expect([...answered, ...again].sort()).toEqual([...ids].sort());
    const progress = (await (await get(`${retryId}/progress`)).json()) as BatchProgress;
    expect(progress).toMatchObject({ retry_of: id, by_lane: [{ account: 'second', failed: 0 }] });
    expect(progress.by_lane).toHaveLength(1);
    const refused = cli('retry', id);
    expect(await refused.ended).toBe(1);
    expect(refused.output()).toContain(retryId);
  });

  it('is made, followed and brought home by the command line', async () => {
    const [input, output] = [join(folder, 'in.jsonl'), join(folder, 'out.jsonl')];
    const ids = lineIds(10);
    await writeFile(input, `${ids.map((one) => batchLine(one, MODEL)).join('\n')}\n`);
    const made = cli('create', input, '--metadata', 'team=a', '--max-usd', '5', '--wait');
    expect(await made.ended, made.output()).toBe(0);
    expect(made.output()).toContain('10/10');
    const id = /batch_[0-9a-f]{32}/.exec(made.output())?.[0] ?? '';
    expect((await client.batches.retrieve(id)).metadata).toEqual({ team: 'a', max_metered_usd: '5' });
    const results = cli('results', id, '-o', output);
    expect(await results.ended, results.output()).toBe(0);
    expect(idsOf(await readFile(output, 'utf8'))).toEqual(ids);
    const list = cli();
    expect(await list.ended).toBe(0);
    expect(list.output()).toContain(id);
  });
});
