import { connect } from 'node:net';
import OpenAI, { toFile } from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startApart, type Apart } from '../support/apart.ts';
import { batchLine, checkFinishedBatch, isOver, lineIds, waitForBatch } from '../support/batch-run.ts';
import { recordFault } from '../support/fault-table.ts';

const MODEL = 'key-model';

/** The official client sends its `idempotencyKey` only under a header that is named to it. */
class KeyedClient extends OpenAI {
  protected override idempotencyHeader = 'Idempotency-Key';
}

describe('an Idempotency-Key, with two api processes', () => {
  let apart: Apart;
  let first: KeyedClient;
  let second: KeyedClient;
  let idempotencyKey: string;
  let keys = 0;

  beforeAll(async () => {
    apart = await startApart({});
    const { admin, adminKey, openai, openaiClient } = apart;
    const lane = await admin.addKeyLane({ alias: 'meter', baseUrl: openai.url, apiKey: openai.key, concurrency: 8 });
    await admin.setRoute(MODEL, [lane]);
    const clientOf = (baseURL: string) => new KeyedClient({ apiKey: adminKey, baseURL, maxRetries: 0 });
    first = clientOf(openaiClient.baseURL);
    second = clientOf(`${await apart.startSecondApi()}/v1`);
  });
  afterAll(() => apart.stop());
  beforeEach(() => {
    idempotencyKey = `key ${(keys += 1)}`;
    apart.openai.reset();
  });

  const calls = (): number => apart.openai.counts().calls;
  const ask = (client: OpenAI, content: string, options: OpenAI.RequestOptions = {}) =>
    client.chat.completions
      .create({ model: MODEL, messages: [{ role: 'user', content }] }, { idempotencyKey, ...options })
      .withResponse();
  const openStream = (client: OpenAI, content: string, options: OpenAI.RequestOptions = {}) =>
    client.chat.completions.stream(
      { model: MODEL, messages: [{ role: 'user', content }], stream_options: { include_usage: true } },
      { idempotencyKey, ...options },
    );

  it('repeats the answer, with what it said of itself, from any process', async () => {
    const one = await ask(first, 'once');
    const two = await ask(second, 'once');
    expect(two.data).toEqual(one.data);
    for (const name of ['x-request-id', 'x-flatlane-lane', 'x-flatlane-account', 'x-flatlane-attempts'])
      expect(two.response.headers.get(name)).toBe(one.response.headers.get(name));
    expect(one.response.headers.get('x-flatlane-replayed')).toBeNull();
    expect(two.response.headers.get('x-flatlane-replayed')).toBe('true');
    expect(calls()).toBe(1);
  });

  it('lets repeats join the one that runs, in any process', async () => {
    const answers = await Promise.all(
      [first, second, first, second, first].map((client) => ask(client, '[[delay:1500]] together')),
    );
    for (const { data } of answers) expect(data).toEqual(answers[0]?.data);
    expect(calls()).toBe(1);
  });

  it('refuses the key for another body while the first runs and afterwards', async () => {
    const running = ask(first, '[[delay:1000]] mine');
    await expect.poll(calls).toBe(1);
    const refusal = { status: 409, code: 'idempotency_key_reused' };
    await expect(ask(second, 'theirs')).rejects.toMatchObject(refusal);
    await running;
    await expect(ask(first, 'theirs')).rejects.toMatchObject(refusal);
    expect(calls()).toBe(1);
  });

  it('streams to the first, and gives a whole stream to those who join and to those who come later', async () => {
    const running = openStream(first, '[[ticks:8:100]]');
    await expect.poll(calls).toBe(1);
    const joined = openStream(second, '[[ticks:8:100]]');
    const [whole, same] = await Promise.all([running.finalChatCompletion(), joined.finalChatCompletion()]);
    const later = await openStream(second, '[[ticks:8:100]]').finalChatCompletion();
    expect(whole.choices[0]?.message.content).toBe('1 2 3 4 5 6 7 8 ');
    for (const repeat of [same, later]) {
      expect(repeat.choices[0]?.message.content).toBe(whole.choices[0]?.message.content);
      expect(repeat.usage).toEqual(whole.usage);
      expect(repeat.id).toBe(whole.id);
    }
    expect(calls()).toBe(1);
  });

  it('goes on for a caller who left in the middle of a stream', async () => {
    const left = openStream(first, '[[ticks:8:100]] to the end');
    for await (const _ of left) break;
    left.abort();
    const whole = await openStream(second, '[[ticks:8:100]] to the end').finalChatCompletion();
    expect(whole.choices[0]?.message.content).toBe('1 2 3 4 5 6 7 8 ');
    expect(calls()).toBe(1);
  });

  it('keeps no failure that a retry may mend, and keeps a refusal', async () => {
    apart.openai.script({ failNext: ['status:500', 'status:500'] });
    await expect(ask(first, 'mend')).rejects.toMatchObject({ status: 502 });
    const mended = await ask(second, 'mend');
    expect(mended.data.choices[0]?.message.content).toBe('echo: mend');
    expect((await ask(first, 'mend')).data).toEqual(mended.data);
    expect(calls()).toBe(3);

    idempotencyKey += ' refused';
    const refused = await ask(first, '[[status:422]] no').catch((error: unknown) => error);
    expect(refused).toMatchObject({ status: 422 });
    const again = await ask(second, '[[status:422]] no').catch((error: unknown) => error);
    expect(again).toMatchObject({ status: 422, message: (refused as Error).message });
    expect(calls()).toBe(4);
  });

  it('holds for responses and for embeddings', async () => {
    const respond = (client: OpenAI) =>
      client.responses.create({ model: MODEL, input: 'hello' }, { idempotencyKey }).withResponse();
    const embed = (client: OpenAI) =>
      client.embeddings.create({ model: MODEL, input: 'hello' }, { idempotencyKey }).withResponse();
    for (const once of [respond, embed]) {
      const one = await once(first);
      const two = await once(second);
      expect(two.data).toEqual(one.data);
      expect(two.response.headers.get('x-request-id')).toBe(one.response.headers.get('x-request-id'));
      expect(two.response.headers.get('x-flatlane-replayed')).toBe('true');
    }
    expect(calls()).toBe(1);
  });

  it('carries the retry of the official client over the death of the api, with one call upstream', async () => {
    const patient = new KeyedClient({ apiKey: apart.adminKey, baseURL: first.baseURL, maxRetries: 8 });
    const waiting = ask(patient, '[[delay:3000]] over the gap');
    await expect.poll(calls).toBe(1);
    await apart.replaceApi();
    const { data } = await waiting;
    expect(data.choices[0]?.message.content).toContain('over the gap');
    expect((await ask(second, '[[delay:3000]] over the gap')).data).toEqual(data);
    expect(calls()).toBe(1);
  });

  it('gives one answer to all when the worker dies in the middle', { timeout: 90_000 }, async () => {
    const running = ask(first, '[[delay:1500]] who is left?');
    await expect.poll(calls).toBe(1);
    const joined = ask(second, '[[delay:1500]] who is left?');
    await apart.worker().kill();
    await apart.startWorker();
    const [one, two] = await Promise.all([running, joined]);
    expect(two.data).toEqual(one.data);
    expect((await ask(first, '[[delay:1500]] who is left?')).data).toEqual(one.data);
    // The attempt that died with its worker, and the one that answered.
    expect(calls()).toBe(2);
  });

  /** A file of lines, and a body to make a batch of it. */
  const upload = async (lines: readonly string[]) => {
    const content = Buffer.from(lines.map((id) => `${batchLine(id, MODEL)}\n`).join(''));
    const file = await first.files.create({ file: await toFile(content, 'lines.jsonl'), purpose: 'batch' });
    return { input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h' } as const;
  };
  const batchesOf = async (fileId: string): Promise<OpenAI.Batch[]> =>
    (await first.batches.list({ limit: 100 })).data.filter(({ input_file_id }) => input_file_id === fileId);
  /** Waits for the end of the one batch, has it checked, and notes the row of the table. */
  const checkOne = async (fault: string, batchId: string, lines: readonly string[]): Promise<void> => {
    const batch = await waitForBatch(first, batchId, isOver);
    const { completed, lost, twice } = await checkFinishedBatch(first, apart.stores, batch, lines);
    const wasted = calls() - lines.length;
    expect({ completed, lost, twice, wasted }).toEqual({ completed: lines.length, lost: [], twice: [], wasted: 0 });
    await recordFault({ fault, lines: lines.length, recoverySeconds: 0, lost: 0, twice: 0, wasted });
  };

  it('makes one batch of fifty creates at once, over both processes', async () => {
    const lines = lineIds(40);
    const body = await upload(lines);
    const create = (client: OpenAI) => client.batches.create(body, { idempotencyKey });
    const made = await Promise.all(Array.from({ length: 50 }, (_, at) => create(at % 2 === 0 ? first : second)));
    for (const batch of made) expect(batch).toEqual(made[0]);
    expect(await batchesOf(body.input_file_id)).toHaveLength(1);
    await checkOne('50 identical creates at once', made[0]?.id ?? '', lines);
  });

  it('gives the same batch to a caller whose first reply was lost', async () => {
    const lines = lineIds(40);
    const body = await upload(lines);
    const hangUp = await sendUnread(first, '/batches', JSON.stringify(body), { 'idempotency-key': idempotencyKey });
    await expect.poll(() => batchesOf(body.input_file_id), { timeout: 30_000, interval: 5 }).toHaveLength(1);
    hangUp();
    const { id } = await second.batches.create(body, { idempotencyKey });
    expect(await batchesOf(body.input_file_id)).toMatchObject([{ id }]);
    await checkOne('dropped reply to a create, and a repeat', id, lines);
  });
});

/** Sends a request over a connection from which nothing is read. Returns what closes it. */
function sendUnread(
  client: OpenAI,
  path: string,
  body: string,
  headers: Readonly<Record<string, string>>,
): Promise<() => void> {
  const url = new URL(client.baseURL + path);
  const lines = Object.entries({
    host: url.host,
    authorization: `Bearer ${client.apiKey}`,
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(url.port), url.hostname, () => {
      socket.pause();
      socket.write(`POST ${url.pathname} HTTP/1.1\r\n${lines.join('')}\r\n${body}`, () => {
        resolve(() => void socket.destroy());
      });
    });
    socket.once('error', reject);
  });
}
