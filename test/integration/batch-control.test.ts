import { setTimeout as sleep } from 'node:timers/promises';
import type { OpenAI } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatUsd } from '../../core/wire/batch-wishes.ts';
import { isOver, lineIds, resultLines, startBatch, waitForBatch } from '../support/batch-run.ts';
import { startGateway, type Gateway } from '../support/gateway.ts';

const PLAN = 'gpt-5.5';
const KEY = 'gpt-5.4-mini';
const BOTH = 'plan-then-meter';
const EMBEDDINGS = 'text-embedding-3-small';

let gateway: Gateway;
let client: OpenAI;
let lanes: { home: string; key: string };

beforeAll(async () => {
  gateway = await startGateway({ home: {} });
  const { admin, chatgpt, openai } = gateway;
  const home = await admin.addAccount('home', (code) => chatgpt.approve(code, 'home'));
  const key = await admin.addKeyLane({ alias: 'meter', baseUrl: openai.url, apiKey: openai.key, concurrency: 8 });
  lanes = { home: home.id, key };
  await admin.setRoute(PLAN, [home.id]);
  await admin.setRoute(KEY, [key]);
  await admin.call('PUT', `/admin/routes/${BOTH}`, {
    lanes: [
      { laneId: home.id, model: PLAN },
      { laneId: key, model: KEY },
    ],
  });
  await admin.setRoute(EMBEDDINGS, [home.id, key]);
  client = gateway.client();
});
afterAll(() => gateway.stop());

const line = (customId: string, url: string, body: object): string =>
  JSON.stringify({ custom_id: customId, method: 'POST', url, body });
const chat = (customId: string, model: string, text = 'hello', more: object = {}): string =>
  line(customId, '/v1/chat/completions', {
    model,
    messages: [{ role: 'user', content: `${text} id=${customId}` }],
    ...more,
  });
const control = async (id: string, path: string, body?: object): Promise<Record<string, unknown>> =>
  client.post(`/batches/${id}/${path}`, body === undefined ? {} : { body });
const bodies = async (fileId: string | null | undefined): Promise<Record<string, unknown>[]> =>
  (await resultLines(client, fileId)).map(
    (text) => (JSON.parse(text) as { response: { body: Record<string, unknown> } }).response.body,
  );
const over = (id: string): Promise<OpenAI.Batch> => waitForBatch(client, id, isOver, 60_000);

describe('a batch for another endpoint', () => {
  it('brings responses from a plan lane and from a key lane, with their usage', async () => {
    for (const model of [PLAN, KEY]) {
      const { id } = await startBatch(client, [line('r', '/v1/responses', { model, input: 'good morning' })], {
        endpoint: '/v1/responses',
      });
      const batch = await over(id);
      expect(batch).toMatchObject({ status: 'completed', endpoint: '/v1/responses', request_counts: { completed: 1 } });
      expect(await bodies(batch.output_file_id)).toMatchObject([{ object: 'response', status: 'completed' }]);
      expect(batch.usage?.output_tokens).toBeGreaterThan(0);
    }
  });

  it('brings embeddings from the key lane alone', async () => {
    const input = ['one', 'two'];
    const lines = [line('e', '/v1/embeddings', { model: EMBEDDINGS, input, stream: false })];
    const { id } = await startBatch(client, lines, { endpoint: '/v1/embeddings', metadata: {} });
    const batch = await over(id);
    const [body] = await bodies(batch.output_file_id);
    expect(body).toMatchObject({ object: 'list', data: [{ object: 'embedding' }, { object: 'embedding' }] });
    expect(batch.usage?.input_tokens).toBeGreaterThan(0);
    expect((await gateway.admin.lanesOfBatch(id)).map(({ laneId }) => laneId)).toEqual([lanes.key]);
  });

  it('is refused for embeddings that only a plan could make', async () => {
    const { id } = await startBatch(client, [line('e', '/v1/embeddings', { model: PLAN, input: 'one' })], {
      endpoint: '/v1/embeddings',
    });
    const batch = await over(id);
    expect(batch).toMatchObject({
      status: 'failed',
      errors: { data: [{ code: 'model_not_found', param: 'body.model', line: 1 }] },
    });
  });
});

describe('a batch that runs', () => {
  it('is cancelled when its key is revoked, and when the owner says so', async () => {
    const { admin, chatgpt } = gateway;
    const { key, secret } = await admin.call<{ key: { id: string }; secret: string }>('POST', '/admin/keys', {
      name: 'leaked',
      planLanes: true,
    });
    const leaked = gateway.client(secret);
    const lines = lineIds(60).map((customId) => chat(customId, PLAN, '[[delay:150]]'));
    const [mine, theirs] = [await startBatch(client, lines), await startBatch(leaked, lines)];
    for (const [asker, { id }] of [[client, mine] as const, [leaked, theirs] as const]) {
      await waitForBatch(asker, id, ({ request_counts }) => (request_counts?.completed ?? 0) > 0, 60_000);
    }
    expect(await admin.call('DELETE', `/admin/keys/${key.id}`)).toMatchObject({ cancelledBatches: 1 });
    const cancel = (id: string): Promise<unknown> => admin.call('POST', `/admin/batches/${id}/cancel`);
    expect(await cancel(mine.id)).toMatchObject({ batch: { id: mine.id, status: 'cancelling' } });
    expect(await over(mine.id)).toMatchObject({ status: 'cancelled' });
    // Nobody can read it any more but by what a cancel says.
    await expect.poll(() => cancel(theirs.id).catch(String), { timeout: 60_000 }).toMatch(/status 'cancelled'/);
    expect(chatgpt.counts().calls).toBeLessThan(2 * lines.length);
  });

  it('says in the lane log what was tried for a line before it is cancelled', async () => {
    const { id } = await startBatch(client, [chat('broken', KEY, '[[status:500]]')]);
    await expect.poll(() => gateway.openai.counts().calls).toBeGreaterThan(1);
    await client.batches.cancel(id);
    expect(await over(id)).toMatchObject({ status: 'cancelled', request_counts: { completed: 0, failed: 1 } });
    const { data } = await gateway.admin.call<{ data: { attempts: object[] }[] }>('GET', `/admin/logs?batch=${id}`);
    expect(data).toMatchObject([{ status: 'failed', httpStatus: null, laneId: null }]);
    expect(data[0]?.attempts[0]).toMatchObject({ laneId: lanes.key, attempt: 1, outcome: 'broken' });
  });

  it('sends nothing out while it is paused, and goes on when it is resumed', async () => {
    const ids = lineIds(60);
    const { id } = await startBatch(
      client,
      ids.map((customId) => chat(customId, PLAN, '[[delay:150]]')),
    );
    await waitForBatch(client, id, ({ request_counts }) => (request_counts?.completed ?? 0) > 4, 60_000);
    expect(await control(id, 'pause')).toMatchObject({ paused: true });
    const calls = (): number => gateway.chatgpt.counts().calls;
    // What is out finishes; then nothing moves any more.
    let before = -1;
    for (let still = 0; still < 3; still = calls() === before ? still + 1 : 0) {
      before = calls();
      await sleep(400);
    }
    const { request_counts, status } = await client.batches.retrieve(id);
    expect(status).toBe('in_progress');
    expect(request_counts?.completed).toBeLessThan(ids.length);
    expect(await control(id, 'control', { priority: 'high' })).toMatchObject({ priority: 'high', paused: true });
    expect(await control(id, 'resume')).toMatchObject({ paused: false });
    const batch = await over(id);
    expect(batch).toMatchObject({ status: 'completed', request_counts: { completed: ids.length, failed: 0 } });
    await expect(control(id, 'pause')).rejects.toMatchObject({ status: 409 });
  });

  it('never spends more than its limit, and loses no line of it', async () => {
    const ids = lineIds(40);
    const limit = 20_000;
    const { id } = await startBatch(
      client,
      ids.map((customId) => chat(customId, KEY, 'hello', { max_completion_tokens: 400 })),
      { metadata: { max_metered_usd: formatUsd(limit) } },
    );
    const batch = await over(id);
    expect(batch.status).toBe('completed');
    const failed = await bodies(batch.error_file_id);
    const answered = await bodies(batch.output_file_id);
    expect(answered.length + failed.length).toBe(ids.length);
    expect(answered.length).toBeGreaterThan(0);
    const costs = await gateway.admin.lanesOfBatch(id);
    expect(costs.reduce((sum, { costMicros }) => sum + costMicros, 0)).toBeLessThanOrEqual(limit);
    for (const body of failed) expect(body).toMatchObject({ error: { code: 'insufficient_quota' } });
    expect(await client.get(`/batches/${id}/control`)).toMatchObject({ metered_usd: { held: '0.00' } });
  });

  it('fails lines of a price that nobody knows when there is a limit', async () => {
    await gateway.admin.setRoute('unheard-of', [lanes.key]);
    const { id } = await startBatch(client, [chat('a', 'unheard-of')], { metadata: { max_metered_usd: '5' } });
    const batch = await over(id);
    expect(batch.request_counts).toMatchObject({ completed: 0, failed: 1 });
    expect(await bodies(batch.error_file_id)).toMatchObject([{ error: { code: 'insufficient_quota' } }]);
  });

  it('sends what no plan lane can do to the key lane at once', async () => {
    const { id } = await startBatch(client, [chat('two', BOTH, 'hello', { n: 2 })], { metadata: {} });
    expect(await over(id)).toMatchObject({ status: 'completed', request_counts: { completed: 1 } });
  });

  it('waits for its plan while the deadline allows it, and goes to the key lane when its owner says so', async () => {
    gateway.chatgpt.script('home', { exhaustAfter: 0 });
    const before = gateway.openai.counts().calls;
    const { id } = await startBatch(client, [chat('a', BOTH), chat('b', BOTH)], { metadata: {} });
    const waits = (): Promise<unknown> => client.get(`/batches/${id}/progress`);
    await expect
      .poll(waits)
      .toMatchObject({ waiting_why: expect.stringContaining('metered lanes are held back') as string });
    expect(gateway.openai.counts().calls).toBe(before);
    expect(await control(id, 'control', { spill: 'now' })).toMatchObject({ spill: 'now' });
    expect(await over(id)).toMatchObject({ status: 'completed', request_counts: { completed: 2 } });
    expect((await gateway.admin.lanesOfBatch(id)).map(({ laneId }) => laneId)).toEqual([lanes.key]);
  });
});
