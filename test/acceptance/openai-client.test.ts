import OpenAI, { toFile } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { batchLine, isOver, lineIds, resultLines, startBatch, waitForBatch } from '../support/batch-run.ts';
import { startGateway, type Gateway } from '../support/gateway.ts';

/**
 * The product as a black box, through the official client alone. Against a running one with FLATLANE_ACCEPTANCE_URL
 * (ending in /v1), FLATLANE_ACCEPTANCE_KEY and FLATLANE_ACCEPTANCE_MODEL; otherwise against one that it starts.
 */
const runningUrl = process.env['FLATLANE_ACCEPTANCE_URL'];
/** Failing and slow answers can be had on demand from the stand-ins only. */
const itWithStandIns = runningUrl === undefined ? it : it.skip;

describe('the official openai client', () => {
  let gateway: Gateway | undefined;
  let client: OpenAI;
  let model: string;

  beforeAll(async () => {
    if (runningUrl === undefined) {
      gateway = await startGateway({ home: {} });
      const { admin, chatgpt, openai } = gateway;
      await admin.addAccount('home', (code) => chatgpt.approve(code, 'home'));
      await admin.addKeyLane({ alias: 'meter', baseUrl: openai.url, apiKey: openai.key, models: ['gpt-5.5'] });
      client = gateway.client(await admin.createKey('acceptance', true));
      model = 'gpt-5.5';
    } else {
      client = new OpenAI({ baseURL: runningUrl, apiKey: process.env['FLATLANE_ACCEPTANCE_KEY'] ?? '' });
      model = process.env['FLATLANE_ACCEPTANCE_MODEL'] ?? 'gpt-5.5';
    }
  });
  afterAll(() => gateway?.stop());

  it('lists models and finds one by its name', async () => {
    const { data } = await client.models.list();
    expect(data.map(({ id }) => id)).toContain(model);
    expect(await client.models.retrieve(model)).toMatchObject({ id: model, object: 'model' });
  });

  it('completes a chat', async () => {
    const answer = await client.chat.completions.create({ model, messages: [{ role: 'user', content: 'Say hello.' }] });
    expect(answer.object).toBe('chat.completion');
    expect(answer.choices[0]?.message.content).toBeTruthy();
    expect(answer.usage?.total_tokens).toBeGreaterThan(0);
  });

  it('streams a chat with the helper of the client', async () => {
    const stream = client.chat.completions.stream({ model, messages: [{ role: 'user', content: 'Say hello.' }] });
    let text = '';
    stream.on('content', (delta) => (text += delta));
    const whole = await stream.finalChatCompletion();
    expect(whole.choices[0]?.message.content).toBe(text);
    expect(text).not.toBe('');
  });

  it('puts a file in, reads it back, lists it and deletes it', async () => {
    const content = `${batchLine('only', model)}\n`;
    const file = await client.files.create({ file: await toFile(Buffer.from(content), 'one.jsonl'), purpose: 'batch' });
    expect(file).toMatchObject({
      object: 'file',
      bytes: Buffer.byteLength(content),
      filename: 'one.jsonl',
      purpose: 'batch',
    });
    expect(await (await client.files.content(file.id)).text()).toBe(content);
    const listed: string[] = [];
    for await (const one of client.files.list({ purpose: 'batch' })) listed.push(one.id);
    expect(listed).toContain(file.id);
    expect(await client.files.delete(file.id)).toEqual({ id: file.id, object: 'file', deleted: true });
    await expect(client.files.retrieve(file.id)).rejects.toMatchObject({ status: 404 });
  });

  it('puts a file in by parts, lists it by its purpose and in pages, and lets it end when it should', async () => {
    const lines = lineIds(9).map((id) => `${batchLine(id, model)}\n`);
    const content = lines.join('');
    const upload = await client.uploads.create({
      filename: 'parts.jsonl',
      purpose: 'batch',
      bytes: Buffer.byteLength(content),
      mime_type: 'application/jsonl',
      expires_after: { anchor: 'created_at', seconds: 3600 },
    });
    expect(upload).toMatchObject({ object: 'upload', status: 'pending', bytes: Buffer.byteLength(content) });
    const parts = await Promise.all(
      [lines.slice(0, 4), lines.slice(4)].map(async (some) =>
        client.uploads.parts.create(upload.id, { data: await toFile(Buffer.from(some.join('')), 'part') }),
      ),
    );
    const done = await client.uploads.complete(upload.id, { part_ids: parts.map(({ id }) => id) });
    expect(done).toMatchObject({ status: 'completed', file: { object: 'file', purpose: 'batch' } });
    const file = done.file ?? { id: '', created_at: 0 };
    expect(await client.files.retrieve(file.id)).toMatchObject({ expires_at: file.created_at + 3600 });
    expect(await (await client.files.content(file.id)).text()).toBe(content);
    const newest = await client.files.list({ purpose: 'batch', limit: 1, order: 'desc' });
    expect(newest.data.map(({ id }) => id)).toEqual([file.id]);
    expect((await client.files.list({ purpose: 'batch', order: 'asc', after: file.id })).data).toEqual([]);
    expect(await client.files.delete(file.id)).toMatchObject({ deleted: true });
    const dropped = await client.uploads.create({ ...upload, mime_type: 'application/jsonl', purpose: 'batch' });
    expect(await client.uploads.cancel(dropped.id)).toMatchObject({ status: 'cancelled' });
    await expect(client.uploads.complete(dropped.id, { part_ids: ['part_x'] })).rejects.toMatchObject({ status: 409 });
  });

  it('keeps the lines of a batch whose input file is deleted while it runs', async () => {
    const ids = lineIds(30);
    const started = await startBatch(
      client,
      ids.map((id) => batchLine(id, model)),
    );
    await waitForBatch(client, started.id, ({ status }) => status !== 'validating');
    await client.files.delete(started.input_file_id);
    await expect(client.files.retrieve(started.input_file_id)).rejects.toMatchObject({ status: 404 });
    const batch = await waitForBatch(client, started.id, isOver);
    expect(batch.status).toBe('completed');
    expect(batch.request_counts).toEqual({ total: 30, completed: 30, failed: 0 });
  });

  it('runs a batch from the upload to the results', async () => {
    const ids = lineIds(60);
    const started = await startBatch(
      client,
      ids.map((id) => batchLine(id, model)),
    );
    expect(started).toMatchObject({ object: 'batch', status: 'validating', endpoint: '/v1/chat/completions' });
    const batch = await waitForBatch(client, started.id, isOver);
    expect(batch.status).toBe('completed');
    expect(batch.request_counts).toEqual({ total: 60, completed: 60, failed: 0 });
    expect(batch.error_file_id).toBeNull();
    const results = (await resultLines(client, batch.output_file_id)).map(
      (line) =>
        JSON.parse(line) as {
          custom_id: string;
          response: { status_code: number; body: OpenAI.ChatCompletion };
          error: null;
        },
    );
    expect(results.map(({ custom_id }) => custom_id).sort()).toEqual([...ids].sort());
    for (const { response, error } of results) {
      expect(error).toBeNull();
      expect(response.status_code).toBe(200);
      expect(response.body.choices[0]?.message.content).toBeTruthy();
    }
    const listed = await client.batches.list({ limit: 5 });
    expect(listed.data.map(({ id }) => id)).toContain(batch.id);
  });

  it('fails a batch whose file is not in order, and names every bad line', async () => {
    const lines = [
      batchLine('a', model),
      'no json at all',
      batchLine('a', model),
      batchLine('b', 'a-model-that-nobody-has'),
      JSON.stringify({ custom_id: 'c', method: 'GET', url: '/v1/chat/completions', body: {} }),
    ];
    const started = await startBatch(client, lines);
    const batch = await waitForBatch(client, started.id, isOver);
    expect(batch.status).toBe('failed');
    expect(batch.request_counts).toEqual({ total: 0, completed: 0, failed: 0 });
    const found = new Set(batch.errors?.data?.map(({ code, line }) => `${line} ${code}`));
    for (const expected of ['2 invalid_json_line', '3 duplicate_custom_id', '4 model_not_found', '5 invalid_method']) {
      expect(found).toContain(expected);
    }
  });

  itWithStandIns('puts lines that are refused into the error file, and the others into the output file', async () => {
    const lines = [batchLine('good', model), batchLine('bad', model, '[[context]]'), batchLine('fine', model)];
    const batch = await waitForBatch(client, (await startBatch(client, lines)).id, isOver);
    expect(batch.status).toBe('completed');
    expect(batch.request_counts).toEqual({ total: 3, completed: 2, failed: 1 });
    const [refused] = (await resultLines(client, batch.error_file_id)).map(
      (line) =>
        JSON.parse(line) as { custom_id: string; response: { status_code: number; body: { error: { code: string } } } },
    );
    expect(refused?.custom_id).toBe('bad');
    expect(refused?.response.status_code).toBe(400);
    expect(refused?.response.body.error.code).toBe('context_length_exceeded');
    expect(await resultLines(client, batch.output_file_id)).toHaveLength(2);
  });

  itWithStandIns('cancels a batch and keeps what was done', async () => {
    const ids = lineIds(40);
    const started = await startBatch(
      client,
      ids.map((id) => batchLine(id, model, '[[delay:1000]]')),
    );
    await waitForBatch(client, started.id, (batch) => (batch.request_counts?.completed ?? 0) > 0);
    expect((await client.batches.cancel(started.id)).status).toMatch(/^cancell(ing|ed)$/);
    const batch = await waitForBatch(client, started.id, isOver);
    expect(batch.status).toBe('cancelled');
    const done = await resultLines(client, batch.output_file_id);
    const dropped = await resultLines(client, batch.error_file_id);
    expect(done.length).toBeGreaterThan(0);
    expect(done.length + dropped.length).toBe(40);
    expect(dropped.every((line) => line.includes('batch_cancelled'))).toBe(true);
    await expect(client.batches.cancel(batch.id)).rejects.toMatchObject({ status: 409 });
  });
});
