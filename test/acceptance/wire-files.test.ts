import { toFile, type OpenAI } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { batchLine, isOver, lineIds, resultLines, startBatch, waitForBatch } from '../support/batch-run.ts';
import { startGateway, type Gateway } from '../support/gateway.ts';
import { createWire, type WireAnswer, type WireCall } from '../support/wire-call.ts';

/** Files, pages of lists, and a batch that is cancelled, to the letter. */
const MODEL = 'gpt-5.4-mini';
const CHAT = '/v1/chat/completions';
const DAY_SECONDS = 24 * 3600;

let gateway: Gateway;
let client: OpenAI;
let other: OpenAI;
let call: (call: WireCall) => Promise<WireAnswer>;

beforeAll(async () => {
  gateway = await startGateway();
  const { admin, openai } = gateway;
  await admin.addKeyLane({ alias: 'meter', baseUrl: openai.url, apiKey: openai.key, models: [MODEL], concurrency: 4 });
  client = gateway.client();
  other = gateway.client(await admin.createKey('other', false));
  call = createWire(gateway.url, gateway.adminKey);
});
afterAll(() => gateway.stop());

interface Page {
  readonly data: readonly { readonly id: string; readonly created_at: number }[];
  readonly first_id: string | null;
  readonly last_id: string | null;
  readonly has_more: boolean;
}

const ONE_LINE = `${batchLine('a', MODEL)}\n`;
const upload = async (content = ONE_LINE): Promise<OpenAI.FileObject> =>
  client.files.create({ file: await toFile(Buffer.from(content), 'lines.jsonl'), purpose: 'batch' });
const page = async (path: string): Promise<Page> => {
  const { status, json } = await call({ path });
  expect(status).toBe(200);
  expect(Object.keys(json as object)).toEqual(['object', 'data', 'first_id', 'last_id', 'has_more']);
  expect(json).toMatchObject({ object: 'list' });
  return json as Page;
};
const idsOf = ({ data }: Page): string[] => data.map(({ id }) => id);
function form(fields: Readonly<Record<string, string>>, content = ONE_LINE, name = 'lines.jsonl'): FormData {
  const made = new FormData();
  for (const [field, value] of Object.entries({ purpose: 'batch', ...fields })) made.set(field, value);
  made.set('file', new Blob([content]), name);
  return made;
}

describe('a file', () => {
  it('has every field, and lives 30 days', async () => {
    const { status, json } = await call({ path: '/v1/files', body: form({}) });
    const file = json as { readonly id: string; readonly created_at: number };
    expect(status).toBe(200);
    expect(file).toEqual({
      id: expect.stringMatching(/^file-\S+$/) as string,
      object: 'file',
      bytes: Buffer.byteLength(ONE_LINE),
      created_at: expect.any(Number) as number,
      filename: 'lines.jsonl',
      purpose: 'batch',
      status: 'processed',
      expires_at: file.created_at + 30 * DAY_SECONDS,
      status_details: null,
    });
    expect((await call({ path: `/v1/files/${file.id}` })).json).toEqual(file);
    expect((await call({ path: `/v1/files/${file.id}/content` })).text).toBe(ONE_LINE);
  });

  it.each([
    ['3599', 'invalid_value'],
    ['3600', null],
    ['2592000', null],
    ['2592001', 'invalid_value'],
    ['an hour', 'invalid_type'],
  ])('may live %s seconds: %s', async (seconds, code) => {
    const body = form({ 'expires_after[anchor]': 'created_at', 'expires_after[seconds]': seconds });
    const { status, json } = await call({ path: '/v1/files', body });
    if (code === null) {
      const { created_at, expires_at } = json as { readonly created_at: number; readonly expires_at: number };
      expect([status, expires_at - created_at]).toEqual([200, Number(seconds)]);
      return;
    }
    expect(status).toBe(400);
    expect(json).toMatchObject({ error: { code, param: 'expires_after[seconds]' } });
  });

  it.each([
    ['another extension', ONE_LINE, 'lines.json', 'Invalid file format for Batch API. Must be .jsonl'],
    ['no content', '', 'lines.jsonl', 'The file is empty.'],
    [
      'a first line that is no JSON',
      'hello\n',
      'lines.jsonl',
      'The first line of the file is not parseable as valid JSON.',
    ],
  ])('is refused for %s', async (_, content, name, message) => {
    const { status, json } = await call({ path: '/v1/files', body: form({}, content, name) });
    expect(status).toBe(400);
    expect(json).toEqual({ error: { message, type: 'invalid_request_error', param: 'file', code: null } });
  });

  it('may have lines without what a line needs: that is for the batch to say', async () => {
    expect((await upload('{}\n')).status).toBe('processed');
  });
});

describe('a list', () => {
  it('of files goes in both directions, also behind a file that is gone', async () => {
    const files = [await upload(), await upload(), await upload(), await upload()].map(({ id }) => id);
    const newest = files.toReversed();
    const first = await page('/v1/files?purpose=batch&limit=2');
    expect(idsOf(first)).toEqual(newest.slice(0, 2));
    expect(first).toMatchObject({ first_id: newest[0], last_id: newest[1], has_more: true });
    await client.files.delete(newest[1] ?? '');
    expect(idsOf(await page(`/v1/files?limit=1&after=${newest[1]}`))).toEqual([newest[2]]);
    const ascending = await page(`/v1/files?order=asc&after=${files[0]}`);
    expect(idsOf(ascending)).toEqual([files[1], files[3]]);
    expect(ascending.has_more).toBe(false);
    expect(idsOf(await page('/v1/files?limit=3'))).not.toContain(newest[1]);
    expect(await page('/v1/files?purpose=vision')).toEqual({
      object: 'list',
      data: [],
      first_id: null,
      last_id: null,
      has_more: false,
    });
  });

  it('of batches has the newest first, twenty at a time, and none of another key', async () => {
    const made: string[] = [];
    for (let index = 0; index < 21; index++) {
      const { id } = await client.batches.create({
        input_file_id: 'file-none',
        endpoint: CHAT,
        completion_window: '24h',
      });
      made.unshift(id);
    }
    const first = await page('/v1/batches');
    expect(first.data).toHaveLength(20);
    expect(idsOf(first)).toEqual(made.slice(0, 20));
    expect(first).toMatchObject({ first_id: made[0], last_id: made[19], has_more: true });
    expect(idsOf(await page(`/v1/batches?after=${made[19]}&limit=1`))).toEqual([made[20]]);
    const all: string[] = [];
    for await (const { id } of client.batches.list({ limit: 7 })) all.push(id);
    expect(all).toEqual(made);
    expect((await other.batches.list()).data).toEqual([]);
    await expect(other.batches.retrieve(made[0] ?? '')).rejects.toMatchObject({ status: 404 });
    await expect(other.batches.list({ after: made[0] ?? '' })).rejects.toMatchObject({ status: 400, param: 'after' });
  });
});

describe('a cancelled batch', () => {
  it('keeps what was finished, names the rest, and counts both', async () => {
    const ids = lineIds(12);
    const lines = ids.map((id, index) => batchLine(id, MODEL, index < 2 ? 'hello' : '[[delay:2000]] hello'));
    const { id, input_file_id } = await startBatch(client, lines);
    await waitForBatch(client, id, ({ request_counts }) => (request_counts?.completed ?? 0) >= 2);
    // Its bytes are the batch's until it is over.
    await client.files.delete(input_file_id);
    const cancelling = await call({ method: 'POST', path: `/v1/batches/${id}/cancel` });
    expect(cancelling.status).toBe(200);
    expect(cancelling.json).toMatchObject({
      id,
      object: 'batch',
      status: 'cancelling',
      cancelling_at: expect.any(Number) as number,
      cancelled_at: null,
      output_file_id: null,
      error_file_id: null,
    });
    const batch = await waitForBatch(client, id, isOver, 60_000);
    expect(batch).toMatchObject({
      status: 'cancelled',
      cancelled_at: expect.any(Number) as number,
      completed_at: null,
      expired_at: null,
      finalizing_at: null,
    });
    const done = (await resultLines(client, batch.output_file_id)).map(
      (text) => JSON.parse(text) as { custom_id: string },
    );
    const rest = (await resultLines(client, batch.error_file_id)).map(
      (text) => JSON.parse(text) as { custom_id: string },
    );
    expect(batch.request_counts).toEqual({ total: 12, completed: done.length, failed: rest.length });
    expect([...done, ...rest].map(({ custom_id }) => custom_id).toSorted()).toEqual(ids.toSorted());
    expect(done.map(({ custom_id }) => custom_id)).toEqual(expect.arrayContaining(ids.slice(0, 2)));
    expect(rest.length).toBeGreaterThan(0);
    for (const line of rest) {
      expect(line).toEqual({
        id: expect.stringMatching(/^batch_req_/) as string,
        custom_id: line.custom_id,
        response: null,
        error: { code: 'batch_cancelled', message: expect.stringMatching(/\S/) as string },
      });
    }
    // In the order of the input, each in its file.
    const order = (lines: readonly { custom_id: string }[]): number[] =>
      lines.map(({ custom_id }) => ids.indexOf(custom_id));
    for (const lines of [done, rest]) expect(order(lines)).toEqual(order(lines).toSorted((one, two) => one - two));

    const again = await call({ method: 'POST', path: `/v1/batches/${id}/cancel` });
    expect(again.status).toBe(409);
    expect(again.headers.get('x-should-retry')).toBe('false');
    expect(again.json).toEqual({
      error: {
        message: "Cannot cancel a batch with status 'cancelled'.",
        type: 'invalid_request_error',
        param: null,
        code: null,
      },
    });
  });
});

describe('a repeat with an idempotency key', () => {
  it('gets the first answer, and another body is refused', async () => {
    const headers = { 'idempotency-key': 'wire-1' };
    const body = { input_file_id: (await upload()).id, endpoint: CHAT, completion_window: '24h' };
    const [first, second] = [
      await call({ path: '/v1/batches', headers, body }),
      await call({ path: '/v1/batches', headers, body }),
    ];
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(second.json).toEqual(first.json);
    const reused = await call({ path: '/v1/batches', headers, body: { ...body, completion_window: '48h' } });
    expect(reused.status).toBe(409);
    expect(reused.headers.get('x-should-retry')).toBe('false');
    expect(reused.json).toMatchObject({ error: { type: 'invalid_request_error', code: 'idempotency_key_reused' } });
  });
});
