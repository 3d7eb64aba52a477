import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAdminHttp } from '../../scripts/admin-http.ts';
import { readAddresses, spawnStart, startGateway, type Gateway } from '../support/gateway.ts';

interface LogEntry {
  readonly id: string;
  readonly status: string;
  readonly httpStatus: number | null;
  readonly laneAlias: string | null;
  readonly attempts: readonly { outcome: string }[];
  readonly costMicros: number | null;
}

describe('the direct path of a running flatlane', () => {
  let gateway: Gateway;
  let lanes: { first: string; second: string };
  const route = (model: string, laneIds: readonly string[], more: object = {}) =>
    gateway.admin.call('PUT', `/admin/routes/${model}`, { lanes: laneIds.map((laneId) => ({ laneId })), ...more });

  beforeAll(async () => {
    gateway = await startGateway();
    const { admin, openai } = gateway;
    const key = { baseUrl: openai.url, apiKey: openai.key };
    const first = await admin.addKeyLane({ alias: 'first', ...key, models: ['unused'] });
    const second = await admin.addKeyLane({ alias: 'second', ...key, models: ['unused'] });
    lanes = { first, second };
    await route('gpt-5.4', [first, second]);
    await route('durable', [first], { direct: false });
  });
  afterAll(() => gateway.stop());

  const ask = (content: string, model = 'gpt-5.4', headers: Record<string, string> = {}, key?: string) =>
    gateway
      .client(key)
      .chat.completions.create({ model, messages: [{ role: 'user', content }] }, { headers })
      .withResponse();
  const logOf = async (requestId: string | null): Promise<LogEntry> => {
    for (let tries = 0; tries < 100; tries += 1) {
      const { data } = await gateway.admin.call<{ data: LogEntry[] }>('GET', '/admin/logs?limit=50');
      const entry = data.find(({ id }) => id === requestId);
      if (entry !== undefined) return entry;
      await sleep(50);
    }
    throw new Error(`${requestId} is not in the lane log`);
  };

  it('answers with the headers of every call, and is in the lane log', async () => {
    const { data, response } = await ask('good morning');
    expect(data.choices[0]?.message.content).toBe('echo: good morning');
    expect(response.headers.get('x-flatlane-lane')).toBe(lanes.first);
    expect(response.headers.get('x-flatlane-attempts')).toBe('1');
    const cost = response.headers.get('x-flatlane-cost-usd');
    expect(Number(cost)).toBeGreaterThan(0);
    expect(response.headers.get('x-flatlane-meter-usd')).toBe(cost);
    const entry = await logOf(response.headers.get('x-request-id'));
    expect(entry).toMatchObject({ status: 'answered', httpStatus: 200, laneAlias: 'first' });
    expect(entry.costMicros).toBe(Math.round(Number(cost) * 1_000_000));
  });

  it('falls back to the next lane as the workflow does', async () => {
    gateway.openai.script({ failNext: ['status:500', 'status:500'] });
    const { response } = await ask('please');
    expect(response.headers.get('x-flatlane-account')).toBe('second');
    expect(response.headers.get('x-flatlane-attempts')).toBe('3');
    const { attempts } = await logOf(response.headers.get('x-request-id'));
    expect(attempts.map(({ outcome }) => outcome)).toEqual(['broken', 'broken', 'answered']);
  });

  it('gives way to a workflow where route or request want one, with the same answer', async () => {
    const before = gateway.openai.attempts().length;
    const { data } = await ask('once more', 'durable');
    expect(data.choices[0]?.message.content).toBe('echo: once more');
    const { data: repeated } = await ask('kept', 'gpt-5.4', { 'idempotency-key': 'one' });
    expect(repeated.choices[0]?.message.content).toBe('echo: kept');
    expect(gateway.openai.attempts().length).toBe(before + 2);
  });

  it("gives the provider's own refusal to the caller, and harms no lane", async () => {
    await expect(ask('[[status:422]] no')).rejects.toMatchObject({ status: 422 });
    expect((await ask('after that')).response.headers.get('x-flatlane-account')).toBe('first');
  });

  it('streams chunks as they come', async () => {
    const stream = await gateway.client().chat.completions.create({
      model: 'gpt-5.4',
      messages: [{ role: 'user', content: '[[ticks:4:30]]' }],
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = '';
    let usage: unknown;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? '';
      usage = chunk.usage ?? usage;
    }
    expect(text).toBe('1 2 3 4 ');
    expect(usage).toMatchObject({ total_tokens: expect.any(Number) });
  });

  it('ends the attempt when the caller leaves', async () => {
    const caller = new AbortController();
    const asked = gateway
      .client()
      .chat.completions.create(
        { model: 'gpt-5.4', messages: [{ role: 'user', content: '[[delay:20000]] never mind' }] },
        { signal: caller.signal },
      );
    const count = (): number => gateway.openai.attempts().filter(({ outcome }) => outcome === 'aborted').length;
    const before = count();
    setTimeout(() => caller.abort(), 300);
    await expect(asked).rejects.toThrow(/abort/i);
    while (count() === before) await sleep(20);
    expect(count()).toBe(before + 1);
  });

  it('spends nothing without the consent of the key and of the route', async () => {
    const { admin } = gateway;
    const made = await admin.call<{ key: { id: string }; secret: string }>('POST', '/admin/keys', {
      name: 'careful',
      metered: 'ask',
    });
    const before = gateway.openai.attempts().length;
    await expect(ask('a', 'gpt-5.4', {}, made.secret)).rejects.toMatchObject({ status: 403 });
    const allow = { 'x-flatlane-allow-metered': 'true' };
    expect((await ask('b', 'gpt-5.4', allow, made.secret)).response.status).toBe(200);
    await admin.call('PATCH', `/admin/keys/${made.key.id}`, { metered: 'never' });
    // A key is remembered for a second.
    await sleep(1_100);
    await expect(ask('c', 'gpt-5.4', allow, made.secret)).rejects.toMatchObject({ status: 403 });
    await route('careful', [lanes.first], { metered: 'ask' });
    await expect(ask('d', 'careful')).rejects.toMatchObject({ status: 403 });
    expect((await ask('e', 'careful', allow)).response.status).toBe(200);
    expect(gateway.openai.attempts().length).toBe(before + 2);
  });

  it('serves a lane by a preset, under its own names and prices', async () => {
    const { admin, openai } = gateway;
    const { lane } = await admin.call<{ lane: { id: string } }>('POST', '/admin/key-lanes', {
      alias: 'preset',
      preset: 'mistral',
      baseUrl: openai.url,
      apiKey: openai.key,
      allowPrivateAddresses: true,
      modelMap: { house: 'vendor/model-1' },
      prices: { 'vendor/model-1': { inputUsd: 1_000, outputUsd: 1_000 } },
    });
    const { data, response } = await ask('priced', 'house');
    expect(response.headers.get('x-flatlane-lane')).toBe(lane.id);
    expect(openai.attempts().at(-1)?.model).toBe('vendor/model-1');
    const tokens = data.usage?.total_tokens ?? Number.NaN;
    expect(Number(response.headers.get('x-flatlane-cost-usd'))).toBeCloseTo(tokens / 1_000, 6);
  });

  it('loses nothing of its books in an orderly stop', async () => {
    const asked = await Promise.all(Array.from({ length: 40 }, (_, index) => ask(`number ${index}`)));
    await gateway.process.stop();
    const again = spawnStart(gateway.dataDir, {});
    try {
      const { adminUrl } = await readAddresses(again);
      const { call } = createAdminHttp(adminUrl, gateway.adminKey);
      const { data } = await call<{ data: LogEntry[] }>('GET', '/admin/logs?limit=1000');
      const written = new Set(data.map(({ id }) => id));
      expect(asked.filter(({ response }) => !written.has(response.headers.get('x-request-id') ?? ''))).toEqual([]);
    } finally {
      await again.stop();
    }
  });
});
