import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LINES_IN_A_CHUNK } from '../../core/contracts/batch.ts';
import { startOpenaiApi, type OpenaiApi } from '../standins/openai/api.ts';
import { startGateway, type Gateway } from '../support/gateway.ts';

interface LogEntry {
  readonly id: string;
  readonly laneAlias: string | null;
  readonly attempts: readonly { laneId: string; outcome: string; drill?: boolean; reason?: string }[];
}
type Headers = Readonly<Record<string, string>>;

const MODEL = 'gpt-5.5';
const KEYS = 'keys';

let gateway: Gateway;
let lanes: { home: string; work: string; first: string; second: string };
beforeAll(async () => {
  gateway = await startGateway({ home: {}, work: {} }, { FLATLANE_DRILLS: 'true' });
  const { admin, chatgpt, openai } = gateway;
  const home = await admin.addAccount('home', (code) => chatgpt.approve(code, 'home'));
  const work = await admin.addAccount('work', (code) => chatgpt.approve(code, 'work'));
  const key = { baseUrl: openai.url, apiKey: openai.key, models: ['unused'] };
  const first = await admin.addKeyLane({ alias: 'first', ...key });
  const second = await admin.addKeyLane({ alias: 'second', ...key });
  lanes = { home: home.id, work: work.id, first, second };
  await route(MODEL, [on(home.id, 1), on(work.id, 1), on(first, 2)]);
  await route(KEYS, [on(first, 1), on(second, 1)]);
  await route('drilled', [on(home.id, 1), on(work.id, 2), on(first, 3)]);
  await route('direct', [on(first, 1), on(second, 2)]);
});
afterAll(() => gateway.stop());

const on = (laneId: string, rung: number, weight?: number) => ({
  laneId,
  rung,
  model: 'gpt-5.5',
  ...(weight === undefined ? {} : { weight }),
});
const route = (model: string, rungs: readonly object[], more: object = {}) =>
  gateway.admin.call('PUT', `/admin/routes/${model}`, { lanes: rungs, ...more });
const ask = (content: string, model = MODEL, headers: Headers = {}, key?: string) =>
  gateway
    .client(key)
    .chat.completions.create({ model, messages: [{ role: 'user', content }] }, { headers })
    .withResponse();
const served = async (...args: Parameters<typeof ask>): Promise<string | null> =>
  (await ask(...args)).response.headers.get('x-flatlane-account');
const drill = (signal: string): Headers => ({ 'x-flatlane-drill': signal });
const logOf = async (requestId: string | null): Promise<LogEntry> => {
  for (let tries = 0; tries < 100; tries += 1) {
    const { data } = await gateway.admin.call<{ data: LogEntry[] }>('GET', '/admin/logs?limit=50');
    const entry = data.find(({ id }) => id === requestId);
    if (entry !== undefined) return entry;
    await sleep(50);
  }
  throw new Error(`${requestId} is not in the lane log`);
};
const stateOf = async (alias: string): Promise<string | undefined> => {
  const { data } = await gateway.admin.call<{ data: { alias: string; state: string }[] }>('GET', '/admin/lanes');
  return data.find((lane) => lane.alias === alias)?.state;
};

describe.each([
  ['plan lanes', MODEL, ['home', 'work']],
  ['key lanes on the direct path', KEYS, ['first', 'second']],
])('%s of one rung', (_, model, both) => {
  it('share conversations, and each stays on its lane while it goes on', async () => {
    const seen = new Set<string | null>();
    for (let conversation = 0; conversation < 12 && seen.size < 2; conversation += 1) {
      const opening = { role: 'user' as const, content: `conversation ${conversation}` };
      const first = await served(opening.content, model);
      seen.add(first);
      const { response } = await gateway
        .client()
        .chat.completions.create({
          model,
          messages: [opening, { role: 'assistant', content: 'yes' }, { role: 'user', content: 'go on' }],
        })
        .withResponse();
      expect(response.headers.get('x-flatlane-account')).toBe(first);
    }
    expect([...seen].map(String).toSorted()).toEqual(both);
  });

  it('fall back to each other before the next rung', async () => {
    const first = await served('fall back', model);
    const { response } = await ask('fall back', model, drill('usage_limit'));
    expect(response.headers.get('x-flatlane-account')).toBe(both.find((alias) => alias !== first));
    expect(response.headers.get('x-flatlane-attempts')).toBe('2');
  });
});

describe('lanes that share', () => {
  it('need no route where they have one rank', async () => {
    const { data } = await gateway.admin.call<{ data: { id: string; models: string[] }[] }>('GET', '/admin/lanes');
    const model = data.find(({ id }) => id === lanes.home)?.models.find((name) => name !== MODEL) ?? '';
    const rungs = async (): Promise<number[]> => {
      const answer = await ask('who?', model, { 'x-flatlane-dry-run': 'true' });
      return (answer.data as unknown as { lanes: { rung: number }[] }).lanes.map(({ rung }) => rung);
    };
    expect(await rungs()).toEqual([1, 2]);
    for (const id of [lanes.home, lanes.work]) await gateway.admin.call('PATCH', `/admin/accounts/${id}`, { rank: 1 });
    expect(await rungs()).toEqual([1, 1]);
  });

  it('take a conversation off a lane that is much busier', async () => {
    await gateway.admin.call('PATCH', `/admin/key-lanes/${lanes.first}`, { concurrency: 2 });
    await gateway.admin.call('PATCH', `/admin/key-lanes/${lanes.second}`, { concurrency: 2 });
    // Long enough that all four are there at once, on a busy machine too.
    const slow = '[[delay:4000]] slow';
    const aliases = await Promise.all(Array.from({ length: 4 }, () => served(slow, KEYS)));
    expect(aliases.map(String).toSorted()).toEqual(['first', 'first', 'second', 'second']);
  });

  it('share by weight where the owner gives weights', async () => {
    await route('weighted', [on(lanes.first, 1, 1_000), on(lanes.second, 1, 1)]);
    const aliases = await Promise.all(['a', 'b', 'c', 'd'].map((content) => served(content, 'weighted')));
    expect(aliases.filter((alias) => alias === 'first').length).toBeGreaterThanOrEqual(2);
    const answer = await ask('why?', 'weighted', { 'x-flatlane-dry-run': 'true' });
    expect(answer.data).toMatchObject({
      lanes: [
        { rung: 1, slots: 2 },
        { rung: 1, slots: 2 },
      ],
    });
  });

  it('share the lines of batches', async () => {
    await route('bulk', [on(lanes.first, 1), on(lanes.second, 1)], { direct: false });
    // Two chunks: each of them looks for its lanes.
    const rows = Array.from({ length: LINES_IN_A_CHUNK + 10 }, (_, index) =>
      JSON.stringify({
        custom_id: `r${index}`,
        method: 'POST',
        url: '/v1/chat/completions',
        body: { model: 'bulk', messages: [{ role: 'user', content: `row ${index}` }] },
      }),
    );
    const client = gateway.client();
    const file = await client.files.create({ file: new File([rows.join('\n')], 'rows.jsonl'), purpose: 'batch' });
    const endpoint = '/v1/chat/completions';
    const { id } = await client.batches.create({ input_file_id: file.id, endpoint, completion_window: '24h' });
    await expect.poll(async () => (await client.batches.retrieve(id)).status, { timeout: 60_000 }).toBe('completed');
    expect((await client.batches.retrieve(id)).request_counts).toMatchObject({ completed: rows.length, failed: 0 });
    const totals = await gateway.admin.lanesOfBatch(id);
    const lines = new Map(totals.map(({ laneId, entries }) => [laneId, entries]));
    expect([lines.get(lanes.first) ?? 0, lines.get(lanes.second) ?? 0].toSorted((a, b) => a - b)).toEqual([
      10,
      LINES_IN_A_CHUNK,
    ]);
  });
});

describe.each([
  ['drilled', 'home', 'work'],
  ['direct', 'first', 'second'],
])('a drill on the route %s', (model, head, next) => {
  it.each([
    ['usage_limit', ['window_exhausted', 'answered'], next],
    ['unauthorized', ['unauthorized', 'answered'], next],
    ['rate_limit', ['rate_limited', 'answered'], head],
    ['server_error', ['broken', 'answered'], head],
    ['timeout', ['broken', 'answered'], head],
    ['process_lost', ['process_lost', 'answered'], head],
    [`server_error@${head}`, ['broken', 'broken', 'answered'], next],
  ])('of %s takes the true way, and harms no lane', async (signal, outcomes, by) => {
    const { response } = await ask('please', model, drill(signal));
    expect(response.headers.get('x-flatlane-account')).toBe(by);
    const { attempts } = await logOf(response.headers.get('x-request-id'));
    expect(attempts.map(({ outcome }) => outcome)).toEqual(outcomes);
    expect(attempts.map((attempt) => attempt.drill === true)).toEqual(
      outcomes.map((outcome) => outcome !== 'answered'),
    );
    expect(attempts[0]?.reason).toContain('drill');
    expect(await stateOf(head)).toBe('ready');
    expect(await served('and now?', model)).toBe(head);
  });

  it('of a broken stream ends in an error behind the first chunk', async () => {
    const stream = await gateway
      .client()
      .chat.completions.create(
        { model, messages: [{ role: 'user', content: 'please' }], stream: true },
        { headers: drill('broken_stream') },
      );
    const read = async (): Promise<number> => {
      let chunks = 0;
      for await (const _ of stream) chunks += 1;
      return chunks;
    };
    await expect(read()).rejects.toThrow(/upstream/i);
    expect(await served('and now?', model)).toBe(head);
  });

  it('calls no upstream for what it plays', async () => {
    const count = (): number => gateway.openai.attempts().length + gateway.chatgpt.attempts().length;
    const before = count();
    await ask('once', model, drill('usage_limit'));
    expect(count()).toBe(before + 1);
  });
});

describe('a drill', () => {
  it('is for admin keys, and for lanes and signals that there are', async () => {
    const key = await gateway.admin.createKey('app', true);
    await expect(ask('a', MODEL, drill('usage_limit'), key)).rejects.toMatchObject({ status: 403 });
    await expect(ask('a', MODEL, drill('nonsense'))).rejects.toMatchObject({ status: 400 });
    await expect(ask('a', MODEL, drill('usage_limit@sofa'))).rejects.toMatchObject({ status: 400 });
  });
});

describe('a key lane', () => {
  let elsewhere: OpenaiApi;
  beforeAll(async () => {
    elsewhere = await startOpenaiApi({ key: 'sk-elsewhere' });
    await route('one', [on(lanes.second, 1)]);
    await route('one-durable', [on(lanes.second, 1)], { direct: false });
  });
  afterAll(() => elsewhere.close());
  const edit = (body: object) => gateway.admin.call('PATCH', `/admin/key-lanes/${lanes.second}`, body);

  it.each(['one', 'one-durable'])('is at its new address at once, for the route %s', async (model) => {
    const { url, key } = model === 'one' ? elsewhere : gateway.openai;
    await expect(edit({ baseUrl: url })).rejects.toThrow(/answered 400.*"param":"apiKey"/);
    await edit({ baseUrl: url, apiKey: key });
    const at = model === 'one' ? elsewhere : gateway.openai;
    await expect
      .poll(async () => {
        const before = at.attempts().length;
        await ask('where?', model);
        return at.attempts().length - before;
      })
      .toBe(1);
  });

  it('is refused with a wrong key, and serves again with the right one', async () => {
    await edit({ apiKey: 'sk-wrong' });
    await expect
      .poll(() =>
        ask('a', 'one').then(
          () => 200,
          (error: { status: number }) => error.status,
        ),
      )
      .toBe(502);
    await expect.poll(() => stateOf('second')).toBe('needs_key');
    await edit({ apiKey: gateway.openai.key });
    expect(await stateOf('second')).toBe('ready');
    await expect.poll(() => served('b', 'one').catch(() => null)).toBe('second');
    await expect.poll(() => served('b', 'one-durable').catch(() => null)).toBe('second');
  });

  it('is renamed, paused and resumed, and leaves its routes when it is removed', async () => {
    await edit({ alias: 'renamed', models: ['x'] });
    await expect.poll(() => served('c', 'one')).toBe('renamed');
    await gateway.admin.call('POST', `/admin/key-lanes/${lanes.second}/pause`);
    await expect(ask('d', 'one')).rejects.toMatchObject({ status: 503 });
    await gateway.admin.call('POST', `/admin/key-lanes/${lanes.second}/resume`);
    expect(await served('e', 'one')).toBe('renamed');
    await gateway.admin.call('DELETE', `/admin/lanes/${lanes.second}`);
    const { data } = await gateway.admin.call<{ data: { lanes: { laneId: string }[] }[] }>('GET', '/admin/routes');
    expect(data.flatMap((one) => one.lanes).filter(({ laneId }) => laneId === lanes.second)).toEqual([]);
  });
});
