import { randomBytes } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { completionWorkflowId } from '../../core/contracts/ids.ts';
import { startApart, type Apart } from '../support/apart.ts';
import { startGateway, type Gateway } from '../support/gateway.ts';
import { chunksOf, openStream, readStream, type RawStream } from '../support/raw-stream.ts';
import type { SpawnedNode } from '../support/spawned-node.ts';

const MODEL = 'gpt-5.5';
const PING_MS = '150';

const textOf = (count: number): string[] => Array.from({ length: count }, (_, index) => `${index + 1} `);

/** A whole answer: every delta once and in order, one id, one finish, and the end. */
function expectWhole(stream: RawStream, count: number): void {
  expect(stream.status).toBe(200);
  expect(stream.texts).toEqual(textOf(count));
  expect(stream.events.filter((event) => event === '[DONE]')).toHaveLength(1);
  expect(stream.events.at(-1)).toBe('[DONE]');
  expect(new Set(chunksOf(stream.events).map(({ id }) => id)).size).toBe(1);
  expect(stream.events.filter((event) => event.includes('"finish_reason":"stop"'))).toHaveLength(1);
}

describe('two workers in two processes and one api', () => {
  let apart: Apart;
  let second: SpawnedNode;
  let temporal: Connection;
  let endpoint: { url: string; key: string };
  let lanes: { one: string; two: string; key: string };

  beforeAll(async () => {
    const masterKey = randomBytes(32).toString('base64');
    apart = await startApart(
      { one: {}, two: {} },
      { FLATLANE_MASTER_KEY: masterKey, FLATLANE_STREAM_PING_MS: PING_MS },
    );
    const { admin, chatgpt, openai } = apart;
    const addAccount = async (alias: string): Promise<string> => {
      const { account } = await admin.call<{ account: { id: string } }>('POST', '/admin/accounts', {
        alias,
        concurrency: 10,
        acknowledge: true,
      });
      const { login } = await admin.waitForAccount(account.id, (shown) => shown.login !== null, 30_000);
      chatgpt.approve(login?.userCode ?? '', alias);
      await admin.waitForAccount(account.id, ({ state }) => state === 'ready', 30_000);
      return account.id;
    };
    const one = await addAccount('one');
    const two = await addAccount('two');
    second = await apart.startSecondWorker();
    const key = await admin.addKeyLane({ alias: 'meter', baseUrl: openai.url, apiKey: openai.key, concurrency: 60 });
    lanes = { one, two, key };
    await admin.call('PUT', '/admin/routes/key-only', { lanes: [{ laneId: key }], direct: false });
    const planRoute = (laneId: string): object => ({ lanes: [{ laneId, model: MODEL }] });
    await admin.call('PUT', '/admin/routes/plan-one', planRoute(one));
    await admin.call('PUT', '/admin/routes/plan-two', planRoute(two));
    await admin.call('PUT', `/admin/routes/${MODEL}`, { lanes: [one, key].map((laneId) => ({ laneId })) });
    endpoint = { url: apart.openaiClient.baseURL.replace(/\/v1$/, ''), key: apart.adminKey };
    temporal = await Connection.connect({ address: apart.temporal.address });
  });
  afterAll(async () => {
    await temporal.close();
    await apart.stop();
  });
  beforeEach(() => {
    apart.openai.reset();
    apart.chatgpt.reset();
  });

  const stream = async (model: string, content: string, includeUsage = false): Promise<RawStream> =>
    readStream(await openStream(endpoint, model, content, { includeUsage }));

  /** The process that served a request, from the identity with which its worker took the task. */
  const servedBy = async ({ requestId }: RawStream): Promise<number> => {
    const handle = new Client({ connection: temporal }).workflow.getHandle(completionWorkflowId(requestId));
    // Who took a task is written down when the task is done, which the caller does not wait for.
    await handle.result();
    const { events } = await handle.fetchHistory();
    const taken = (events ?? []).flatMap((event) => event.activityTaskStartedEventAttributes?.identity ?? []);
    return Number.parseInt(taken[0] ?? '', 10);
  };

  it('deliver 100 streams at once from a key lane, no delta lost and none twice', async () => {
    const streams = await Promise.all(
      Array.from({ length: 100 }, (_, index) => stream('key-only', `[[ticks:12:5]] id=s${index}`)),
    );
    for (const one of streams) expectWhole(one, 12);
    const { byMarker } = apart.openai.counts();
    expect(Object.values(byMarker)).toEqual(Array.from({ length: 100 }, () => ({ calls: 1, answered: 1 })));
    const workers = new Set(await Promise.all(streams.map(servedBy)));
    expect(workers).toEqual(new Set([apart.worker().pid, second.pid]));
  });

  it('deliver 20 streams at once from two accounts on the disk of one of them', async () => {
    const streams = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        stream(index % 2 === 0 ? 'plan-one' : 'plan-two', `[[ticks:12:20]] id=p${index}`),
      ),
    );
    for (const one of streams) expectWhole(one, 12);
    const { byMarker, mostOpen } = apart.chatgpt.counts();
    expect(Object.values(byMarker)).toEqual(Array.from({ length: 20 }, () => ({ calls: 1, answered: 1 })));
    expect(Math.max(...Object.values(mostOpen))).toBeLessThanOrEqual(10);
    expect(new Set(await Promise.all(streams.map(servedBy)))).toEqual(new Set([apart.worker().pid]));
  });

  it.each(['key-only', 'plan-one'])('keep a silent stream of %s open with pings', async (model) => {
    const read = await stream(model, '[[ticks:2:1000]]');
    expectWhole(read, 2);
    expect(read.pings).toBeGreaterThanOrEqual(3);
  });

  it.each(['key-only', 'plan-one'])('say the usage of %s in a last chunk where it is asked for', async (model) => {
    const read = await stream(model, '[[ticks:3:0]]', true);
    expectWhole(read, 3);
    const chunks = chunksOf(read.events) as { choices: unknown[]; usage?: { total_tokens: number } | null }[];
    expect(chunks.at(-1)).toMatchObject({ choices: [] });
    expect(chunks.at(-1)?.usage?.total_tokens).toBeGreaterThan(0);
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
    expect(chunksOf((await stream(model, '[[ticks:3:0]]')).events).some((chunk) => 'usage' in chunk)).toBe(false);
  });

  it.each(['key-only', 'plan-one'])('end a broken stream of %s with an error event', async (model) => {
    const read = await stream(model, '[[say:one two three four five six]] [[half]]');
    expect(read.status).toBe(200);
    expect('one two three four five six'.startsWith(read.texts.join(''))).toBe(true);
    expect(read.texts.length).toBeGreaterThan(0);
    expect(read.events).not.toContain('[DONE]');
    expect(JSON.parse(read.events.at(-1) ?? '')).toMatchObject({ error: { type: 'server_error', code: null } });
    expect(read.events.at(-1)).not.toMatch(/https?:|Reconnecting|terminated|socket/);
  });

  it('deliver a long stream whole to a caller who begins to read long after its workflow is over', async () => {
    // More than the connection to the caller holds, and less than it does with the one behind it: the worker is done with it.
    const count = 30_000;
    const response = await openStream(endpoint, 'key-only', `[[ticks:${count}:0]]`);
    const handle = new Client({ connection: temporal }).workflow.getHandle(
      completionWorkflowId(response.headers.get('x-request-id') ?? ''),
    );
    // Where connections hold less it is not over before it is read, and there is nothing to see here.
    await Promise.race([handle.result(), sleep(30_000, undefined, { ref: false })]);
    // Longer than a channel may be silent.
    await sleep(6_000);
    expectWhole(await readStream(response), count);
  });

  it('fall back to the next lane before the first byte', async () => {
    apart.chatgpt.script('one', { failNext: Array.from({ length: 8 }, () => 'failed:model_not_found') });
    const read = await stream(MODEL, '[[ticks:4:0]]');
    apart.chatgpt.script('one', { failNext: [] });
    expectWhole(read, 4);
    expect(read).toMatchObject({ lane: lanes.key, attempts: '2' });
  });

  it('answer with a plain error when no lane could begin', async () => {
    const read = await stream('plan-two', '[[context]]');
    expect(read.status).toBe(400);
    expect(JSON.parse(read.body)).toMatchObject({ error: { code: 'context_length_exceeded' } });
  });

  it.each([
    ['key-only', 'openai'],
    ['plan-one', 'chatgpt'],
  ] as const)('tell the upstream of %s when the caller leaves in the middle', async (model, upstream) => {
    const leave = new AbortController();
    const response = await openStream(endpoint, model, '[[ticks:400:100]]', { signal: leave.signal });
    const reader = response.body?.getReader();
    await reader?.read();
    expect(apart[upstream].counts().byOutcome.open).toBe(1);
    leave.abort();
    await expect.poll(() => apart[upstream].counts().byOutcome).toEqual({ open: 0, aborted: 1 });
  });
});

describe('api and worker in one process', () => {
  let gateway: Gateway;
  let endpoint: { url: string; key: string };

  beforeAll(async () => {
    gateway = await startGateway({ home: {} });
    const { admin, chatgpt, openai, url, adminKey } = gateway;
    const home = await admin.addAccount('home', (code) => chatgpt.approve(code, 'home'));
    const key = await admin.addKeyLane({ alias: 'meter', baseUrl: openai.url, apiKey: openai.key });
    await admin.call('PUT', '/admin/routes/plan-only', { lanes: [{ laneId: home.id, model: MODEL }] });
    await admin.call('PUT', '/admin/routes/key-only', { lanes: [{ laneId: key }], direct: false });
    await admin.call('PUT', '/admin/routes/direct', { lanes: [{ laneId: key }], direct: true });
    endpoint = { url, key: adminKey };
  });
  afterAll(() => gateway.stop());

  it.each([
    ['key-only', 30],
    ['direct', 100],
    ['plan-only', 4],
  ])('deliver streams of %s, %i at once', async (model, count) => {
    const streams = await Promise.all(
      Array.from({ length: count }, async () => readStream(await openStream(endpoint, model, '[[ticks:12:5]]'))),
    );
    for (const one of streams) expectWhole(one, 12);
  });

  it.each([
    ['key-only', 'openai'],
    ['direct', 'openai'],
    ['plan-only', 'chatgpt'],
  ] as const)('tell the upstream of %s when the caller leaves in the middle', async (model, upstream) => {
    const aborted = (): number => gateway[upstream].counts().byOutcome.aborted ?? 0;
    const before = aborted();
    const leave = new AbortController();
    const response = await openStream(endpoint, model, '[[ticks:400:100]]', { signal: leave.signal });
    await response.body?.getReader().read();
    leave.abort();
    await expect.poll(aborted).toBe(before + 1);
    expect(gateway[upstream].counts().byOutcome.open).toBe(0);
  });
});
