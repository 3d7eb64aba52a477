import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, type Gateway } from '../support/gateway.ts';
import { KEY_SIGNALS, type KeySignal, type KeySignalRow } from '../support/lane-signals.ts';
import { createSignalWorld, type SignalWorld } from '../support/signal-world.ts';
import { ROOT } from '../support/spawned-node.ts';
import { startOpenaiApi, type OpenaiApi } from '../standins/openai/api.ts';

type Provocation =
  | {
      /** What the provider fails each call with. */
      readonly word: string;
      readonly outcomes: readonly string[];
      /** Further words in the prompt, for a failure's headers. */
      readonly prompt?: string;
      /** Calls that fail, where the provider recovers in between. */
      readonly failing?: number;
    }
  | { readonly title: string; readonly file: string };

const HERE = 'test/integration/key-signals.test.ts';
const twice = (outcome: string): { outcomes: readonly string[] } => ({ outcomes: [outcome, outcome] });

const PROVOKED: Record<KeySignal, Provocation> = {
  '429 with insufficient_quota': { word: 'limit', outcomes: ['window_exhausted'] },
  '429 with a long retry-after': { word: 'status:429', prompt: '[[retry-after:30]]', outcomes: ['rate_limited'] },
  '429 with a short retry-after': {
    word: 'status:429',
    prompt: '[[retry-after:0.4]]',
    failing: 1,
    outcomes: ['rate_limited', 'answered'],
  },
  '429 without a time': { word: 'status:429', ...twice('rate_limited') },
  '408': { word: 'status:408', ...twice('broken') },
  '409': { word: 'status:409', ...twice('broken') },
  '500': { word: 'status:500', ...twice('broken') },
  '502': { word: 'status:502', failing: 1, outcomes: ['broken', 'answered'] },
  'connection refused': { file: HERE, title: 'goes to the next one when nobody listens at the address' },
  'connection reset': { word: 'half', ...twice('broken') },
  'no byte in time': {
    file: 'test/lanes/openai/key-lane.test.ts',
    title: 'ends at the deadline when the provider hangs',
  },
  '401': { word: 'status:401', outcomes: ['unauthorized'] },
  '403': { word: 'status:403', outcomes: ['unauthorized'] },
  'another 4xx': { word: 'status:422', outcomes: ['caller_fault'] },
  '200 with an error body': { word: 'error200', ...twice('broken') },
  '200 with HTML': { word: 'html', ...twice('broken') },
  '200 with a broken body': { word: 'broken', ...twice('broken') },
  '200 with an endless body': { word: 'endless', ...twice('broken') },
};

/** Both ways to a key lane are the same to its owner. */
const PATHS = [
  ['by a workflow', false],
  ['on the direct path', true],
] as const;

let gateway: Gateway;
let world: SignalWorld;
let spareApi: OpenaiApi;
let spare: string;
let lanes = 0;

/** A new key lane at the provider that fails, and a route to it with the spare lane behind it. */
const newLane = async (direct: boolean, baseUrl = gateway.openai.url): Promise<{ laneId: string; model: string }> => {
  lanes += 1;
  const model = `model-${lanes}`;
  const laneId = await gateway.admin.addKeyLane({ alias: `key-${lanes}`, baseUrl, apiKey: gateway.openai.key });
  const rungs = [laneId, spare].map((id) => ({ laneId: id }));
  await gateway.admin.call('PUT', `/admin/routes/${model}`, { lanes: rungs, direct });
  return { laneId, model };
};
const calls = (): number => gateway.openai.counts().calls;
const failWith = (word: string, times = 12): void =>
  gateway.openai.script({ failNext: Array.from({ length: times }, () => word) });

beforeAll(async () => {
  gateway = await startGateway();
  world = createSignalWorld(gateway);
  spareApi = await startOpenaiApi({ key: 'sk-spare' });
  spare = await gateway.admin.addKeyLane({ alias: 'spare', baseUrl: spareApi.url, apiKey: spareApi.key });
});
afterAll(async () => {
  await gateway.stop();
  await spareApi.close();
});
afterEach(() => gateway.openai.script({ failNext: [] }));

it('provokes each signal of the table', async () => {
  expect(Object.keys(PROVOKED).sort()).toEqual(Object.keys(KEY_SIGNALS).sort());
  for (const provocation of Object.values(PROVOKED)) {
    if (!('title' in provocation)) continue;
    expect(await readFile(join(ROOT, provocation.file), 'utf8')).toContain(`it('${provocation.title}'`);
  }
});

const provokedByWord = Object.entries(PROVOKED).flatMap(([signal, provocation]) =>
  'word' in provocation ? [{ signal: signal as KeySignal, ...provocation }] : [],
);

describe.each(provokedByWord)('the signal $signal', ({ signal, word, outcomes, prompt = '', failing }) => {
  const row: KeySignalRow = KEY_SIGNALS[signal];
  const does = row.request[0] === 'fail' ? 'is told as it is, and harms nothing' : 'sends the request on';

  it.each(PATHS)(`${does} %s`, async (_, direct) => {
    const { laneId, model } = await newLane(direct);
    const before = calls();
    failWith(word, failing);
    const told = await world.ask(model, `hello ${prompt}`);
    expect(world.outcomesOn(told, laneId)).toEqual(outcomes);
    expect(calls() - before).toBe(outcomes.length);

    if (row.request[0] === 'fail') {
      // The provider's own answer, word for word, and no other lane.
      expect(told.status).toBe(Number(word.split(':')[1]));
      expect(JSON.parse(told.body)).toMatchObject({ error: { message: 'As scripted.' } });
      expect(world.outcomesOn(told, spare)).toEqual([]);
    } else {
      expect(told).toMatchObject({ status: 200, lane: outcomes.includes('answered') ? laneId : spare });
      world.expectNoForeignWords(told);
    }

    const lane = await world.lane(laneId);
    const failures = outcomes.filter((outcome) => outcome !== 'answered').length;
    if (row.lane === null || row.lane.after > failures) {
      expect(lane).toMatchObject({ state: 'ready', why: null, coolingUntil: null });
      return;
    }
    expect(lane.state).toBe(row.lane.to);
    expect(lane.why).not.toBeNull();
    const asked = calls();
    expect((await world.ask(model, 'somebody else, please')).lane).toBe(spare);
    expect(calls()).toBe(asked);
  });
});

describe.each(PATHS)('a key lane %s', (_, direct) => {
  it.each([
    ['limit', '', 3_600],
    ['status:429', '[[retry-after:30]]', 30],
  ])('that answers %s %s is out for %i seconds', async (word, prompt, seconds) => {
    const { laneId, model } = await newLane(direct);
    failWith(word, 1);
    await world.ask(model, `hello ${prompt}`);
    const { coolingUntil } = await world.lane(laneId);
    expect(Math.abs((coolingUntil ?? 0) - Date.now() - seconds * 1_000)).toBeLessThan(5_000);
  });

  it.each([
    ['429', 'rate_limit_exceeded'],
    ['503', 'server_is_overloaded'],
  ])('that is asked for a pause with %s is told of as such to all who come meanwhile', async (status, code) => {
    const { laneId, model } = await newLane(direct);
    await gateway.admin.call('PUT', `/admin/routes/${model}`, { lanes: [{ laneId }], direct });
    failWith(`status:${status}`, 1);
    const first = await world.ask(model, 'hello [[retry-after:30]]');
    expect(first).toMatchObject({ status: Number(status), code });
    const asked = calls();
    const looks = { headers: { 'x-flatlane-dry-run': 'true' } };
    await expect.poll(async () => (await world.ask(model, 'may I?', looks)).body).toContain('the lane pauses');
    // With a wait it is told by its workflow.
    const later = [await world.ask(model, 'and I?')];
    later.push(await world.ask(model, 'and I, after a second?', { headers: { 'x-flatlane-wait': '1' } }));
    for (const told of later) expect(told).toMatchObject({ status: 503, code: 'server_is_overloaded' });
    expect(calls()).toBe(asked);
    for (const { headers } of [first, ...later]) {
      expect(headers.get('x-should-retry')).toBeNull();
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(10);
    }
  });

  it('goes to the next one when nobody listens at the address', async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    const { laneId, model } = await newLane(direct, `http://127.0.0.1:${port}/v1`);
    const told = await world.ask(model, 'anybody?');
    expect(told).toMatchObject({ status: 200, lane: spare });
    expect(world.outcomesOn(told, laneId)).toEqual(['broken', 'broken']);
    expect(told.attempts[0]?.reachedUpstream).toBe(false);
  });

  it('is left alone after five failures in a minute, and opens again by an answer', async () => {
    const { laneId, model } = await newLane(direct);
    const outcomes: string[] = [];
    failWith('status:500');
    for (let request = 0; request < 3; request += 1) {
      const told = await world.ask(model, 'hello');
      expect(told.lane).toBe(spare);
      outcomes.push(...world.outcomesOn(told, laneId));
    }
    expect(outcomes).toEqual(['broken', 'broken', 'broken', 'broken', 'broken', 'lane_unavailable']);
    expect(await world.lane(laneId)).toMatchObject({ state: 'unhealthy' });
    gateway.openai.script({ failNext: [] });
    await world.untilServedBy(model, laneId);
  });

  it('is not harmed by a caller whose requests are refused again and again', async () => {
    const { laneId, model } = await newLane(direct);
    for (let request = 0; request < 7; request += 1) {
      failWith('context', 1);
      expect(await world.ask(model, 'too long')).toMatchObject({ status: 400, code: 'context_length_exceeded' });
    }
    expect(await world.lane(laneId)).toMatchObject({ state: 'ready' });
    expect((await world.ask(model, 'hello')).lane).toBe(laneId);
  });
});
