import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { issueKey } from '../../../api/admin/issue-key.ts';
import { createApp } from '../../../api/create-app.ts';
import type { BatchQuote } from '../../../api/quotes/make-quote.ts';
import { registerBatchQuoteRoutes } from '../../../api/routes/batch-quotes.ts';
import { createSecretBox, newMasterKey } from '../../../core/secret-box.ts';
import { createLaneDirectory } from '../../../lanes/policy/lane-directory.ts';
import type { LaneDoc } from '../../../store/lanes.ts';
import type { LaneLogDoc } from '../../../store/lane-log.ts';
import { createBatchWorld, DAY_MS, row, rows, type BatchWorld } from '../../support/batch-world.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';
import { plantLaneDoc, silentLog } from '../../support/planted.ts';

const MODEL = 'gpt-5.5';
const SECOND = 1_000;

let database: TestDatabase;
let world: BatchWorld;
let app: FastifyInstance;
let lanes: LaneDoc[] = [];
let mine: { secret: string; keyId: string };
let other: { secret: string; keyId: string };

beforeAll(async () => {
  database = await openTestDatabase();
  world = await createBatchWorld(database);
  const secretBox = createSecretBox(newMasterKey());
  app = createApp({ keys: world.keys, secretBox, log: silentLog, defaultAccess: 'key' });
  registerBatchQuoteRoutes(app, {
    ...world,
    lanes: { list: async () => lanes },
    directory: createLaneDirectory({
      listLanes: async () => lanes,
      listRoutes: async () => [],
      clock: world.clock,
      ages: world.clock,
    }),
  });
  const issue = async (planLanes: boolean) => {
    const { key, secret } = await issueKey({ ...world, secretBox }, { name: 'app', planLanes, admin: false });
    return { secret, keyId: key.keyId };
  };
  mine = await issue(true);
  other = await issue(false);
});
afterAll(async () => {
  await app.close();
  await database.release();
});
beforeEach(() => {
  // The picture of the lanes that the directory holds is past.
  world.clock.advance(1_000);
  lanes = [plan('home'), plantLaneDoc('meter', { models: [MODEL], concurrency: 32 })];
});

function plan(alias: string, given: Partial<LaneDoc> = {}): LaneDoc {
  const resetsAt = world.clock.now() + 3 * DAY_MS;
  return plantLaneDoc(alias, {
    kind: 'plan',
    models: [MODEL],
    planType: 'plus',
    windows: [{ name: 'week', durationMinutes: 10_080, usedPercent: 40, resetsAt }],
    ...given,
  });
}

const putFile = (content: string, filename = 'input.jsonl') =>
  world.putFile(content, { ownerId: mine.keyId, filename });
async function ask(method: 'GET' | 'POST', url: string, payload?: object, key = mine.secret) {
  const response = await app.inject({
    method,
    url,
    headers: { authorization: `Bearer ${key}` },
    ...(payload === undefined ? {} : { payload }),
  });
  return { status: response.statusCode, body: response.json<Record<string, unknown>>() };
}
const body = (fileId: string, more: object = {}) => ({
  input_file_id: fileId,
  endpoint: '/v1/chat/completions',
  ...more,
});
async function quote(fileId: string, more: object = {}): Promise<BatchQuote> {
  const { status, body: answer } = await ask('POST', '/v1/batches/quote', body(fileId, more));
  expect([status, answer['error']]).toEqual([200, undefined]);
  return answer as unknown as BatchQuote;
}
const lines = (count: number, more: object = {}): string =>
  rows(count).replaceAll('"model":"m"', `"model":"${MODEL}"${inner(more)}`);
const inner = (more: object): string => (Object.keys(more).length === 0 ? '' : `,${JSON.stringify(more).slice(1, -1)}`);

describe('a quote', () => {
  it('tells lines, tokens, prices, shares and the end, all of it as ranges, before anything is known', async () => {
    const file = await putFile(lines(1_000, { max_tokens: 100 }));
    const found = await quote(file._id);
    expect(found).toMatchObject({
      object: 'batch.quote',
      input_file_id: file._id,
      completion_window: '24h',
      lines: { total: 1_000, invalid: 0, first_invalid: null },
      models: [
        {
          model: MODEL,
          lines: 1_000,
          served: true,
          output_tokens: { low: 50_000, high: 100_000, basis: 'assumed' },
          plan_lanes: ['home'],
          key_lanes: ['meter'],
        },
      ],
      accounts: [{ account: 'home', plan: 'plus', windows: [{ name: 'week', used_percent: 40, basis: 'estimate' }] }],
      expected: { fits: true, basis: 'assumed', spill: { lines: { low: 0, high: 0 }, to: ['meter'] } },
    });
    // 50 to 100 thousand tokens of output at 30 dollars a million, and a little input.
    expect(found.meter_usd?.low).toBeGreaterThan(1.5);
    expect(found.meter_usd?.high).toBeLessThan(3.5);
    expect(found.batch_api_usd?.high).toBeCloseTo((found.meter_usd?.high ?? 0) / 2, 5);
    // A percent of a week of Plus is 0.80 to 2.41 dollars.
    const share = found.accounts[0]?.windows[0]?.share_percent;
    expect(share?.low).toBeCloseTo((found.meter_usd?.low ?? 0) / 2.413, 1);
    expect(share?.high).toBeCloseTo((found.meter_usd?.high ?? 0) / 0.804, 1);
    const { earliest_end: earliest, latest_end: latest, deadline } = found.expected;
    expect(earliest).toBeLessThan(latest ?? 0);
    expect(deadline).toBe(Math.floor((world.clock.now() + DAY_MS) / SECOND));
  });

  it('takes what was measured where there is enough of it', async () => {
    const now = world.clock.now();
    const entry = (index: number): LaneLogDoc => ({
      _id: `req_${now}_${index}`,
      kind: 'request',
      keyId: mine.keyId,
      batchId: null,
      model: MODEL,
      status: 'answered',
      httpStatus: 200,
      laneId: 'seen',
      laneAlias: 'seen',
      attempts: [
        { laneId: 'seen', attempt: 1, outcome: 'answered', reachedUpstream: true, startedAt: 1, durationMs: 2_000 },
      ],
      usage: { promptTokens: 10, cachedPromptTokens: 0, completionTokens: 200, reasoningTokens: 0 },
      costMicros: 0,
      meterMicros: 100_000,
      at: now - 100 + index,
    });
    await world.laneLog.insertMissing(Array.from({ length: 60 }, (_, index) => entry(index)));
    await world.windowSamples.add(
      [10, 16].map((usedPercent, index) => ({
        laneId: 'seen',
        window: 'week',
        usedPercent,
        resetsAt: null,
        at: now - 100 + index * 99,
      })),
    );
    lanes = [plan('seen')];
    const found = await quote((await putFile(lines(1_000)))._id);
    // 200 tokens a line and 2 seconds on each of 4 slots, each within a tenth; six dollars were six percent.
    expect(found.models[0]?.output_tokens).toEqual({ low: 180_000, high: 220_000, basis: 'measured' });
    expect(found.accounts[0]?.windows[0]?.basis).toBe('measured');
    expect(found.accounts[0]?.windows[0]?.share_percent?.low).toBeCloseTo((found.meter_usd?.low ?? 0) / 1.25, 1);
    expect(found.expected.basis).toBe('measured');
    const startedAt = Math.floor(world.clock.now() / SECOND);
    expect((found.expected.earliest_end ?? 0) - startedAt).toBeCloseTo(450, -1);
    expect((found.expected.latest_end ?? 0) - startedAt).toBeCloseTo(550, -1);
  });

  it('says what would spill when the plan has no room before the deadline', async () => {
    lanes = [
      plan('home', {
        windows: [
          { name: 'week', durationMinutes: 10_080, usedPercent: 100, resetsAt: world.clock.now() + 3 * DAY_MS },
        ],
      }),
      plantLaneDoc('meter', { models: [MODEL] }),
    ];
    const { expected } = await quote((await putFile(lines(100, { max_tokens: 10 })))._id);
    expect(expected).toMatchObject({ fits: false, spill: { lines: { low: 100, high: 100 }, to: ['meter'] } });
    expect(expected.spill.meter_usd?.high).toBeGreaterThan(0);
  });

  it('leaves unknown what nobody knows', async () => {
    lanes = [plan('home', { planType: 'unheard-of', models: ['no-price'] })];
    const file = await putFile(rows(10).replaceAll('"model":"m"', '"model":"no-price"'));
    expect(await quote(file._id)).toMatchObject({
      meter_usd: null,
      batch_api_usd: null,
      accounts: [{ windows: [{ share_percent: null, basis: null }] }],
      expected: { latest_end: null, fits: null, spill: { meter_usd: null } },
    });
  });

  it('counts models that nobody serves, and lines that would be refused, with the first of them', async () => {
    const file = await putFile(`${lines(2)}{"custom_id":"x"}\nnonsense\n${row('y', { model: 'unserved' })}\n`);
    expect(await quote(file._id)).toMatchObject({
      lines: { total: 5, invalid: 2, first_invalid: { line: 3, code: 'missing_required_parameter', param: 'method' } },
      models: [
        { model: MODEL, served: true },
        { model: 'unserved', served: false, plan_lanes: [], key_lanes: [] },
      ],
    });
  });

  it('leaves the plan out for a key that may not use it', async () => {
    const file = await world.putFile(lines(10), { ownerId: other.keyId });
    const { body: found } = await ask('POST', '/v1/batches/quote', body(file._id), other.secret);
    expect(found).toMatchObject({ accounts: [], models: [{ plan_lanes: [], key_lanes: ['meter'] }] });
    expect(found['expected']).toMatchObject({ fits: true, spill: { lines: { low: 0, high: 0 } } });
  });

  it('reads the rows of a CSV file by its template', async () => {
    const file = await putFile('text\nhello\nworld\n', 'rows.csv');
    const template = { body: { model: MODEL, messages: [{ role: 'user', content: '{{text}}' }] } };
    expect(await quote(file._id, { template })).toMatchObject({ lines: { total: 2, invalid: 0 } });
    expect(await ask('POST', '/v1/batches/quote', body(file._id))).toMatchObject({ status: 400 });
  });

  it('is refused for what no batch can be made of', async () => {
    const file = await putFile(lines(1));
    const output = await world.putFile('x', { ownerId: mine.keyId, purpose: 'batch_output' });
    for (const [payload, status] of [
      [body('file-none'), 404],
      [body(output._id), 400],
      [body(file._id, { endpoint: '/v1/images' }), 400],
      [body(file._id, { completion_window: '999h' }), 400],
      [{}, 400],
    ] as const) {
      expect((await ask('POST', '/v1/batches/quote', payload)).status).toBe(status);
    }
    expect((await ask('POST', '/v1/batches/quote', body(file._id), other.secret)).status).toBe(404);
  });

  it('reads 50,000 lines and not one more', async () => {
    const most = await putFile(lines(50_000));
    expect((await quote(most._id)).lines.total).toBe(50_000);
    const more = await putFile(lines(50_001));
    expect(await ask('POST', '/v1/batches/quote', body(more._id))).toMatchObject({
      status: 400,
      body: { error: { param: 'input_file_id' } },
    });
  });
});

describe('a quote against what it came to', () => {
  it('has the last quote from before the batch, and what the batch took', async () => {
    const file = await putFile(lines(3));
    const first = await quote(file._id);
    world.clock.advance(10);
    const second = await quote(file._id);
    world.clock.advance(10);
    const batch = await world.putBatch(file._id, {
      ownerId: mine.keyId,
      status: 'completed',
      completedAt: world.clock.now() + 60_000,
      counts: { total: 3, completed: 2, failed: 1 },
      usage: { promptTokens: 30, cachedPromptTokens: 0, completionTokens: 12, reasoningTokens: 0 },
      byLane: {
        meter: { completed: 2, failed: 1, costMicros: 500, meterMicros: 700, costUnknown: 0, meterUnknown: 1 },
      },
    });
    world.clock.advance(10);
    await quote(file._id);
    const path = `/v1/batches/${batch._id}/quote`;
    const { status, body: found } = await ask('GET', path);
    expect(status).toBe(200);
    expect(first.id).not.toBe(second.id);
    expect(found).toEqual({
      object: 'batch.quote_comparison',
      batch_id: batch._id,
      quote: second,
      actual: {
        status: 'completed',
        is_final: true,
        lines: { total: 3, completed: 2, failed: 1 },
        input_tokens: 30,
        output_tokens: 12,
        cost_usd: 0.0005,
        meter_usd: 0.0007,
        duration_seconds: 60,
      },
    });
    expect((await ask('GET', path, undefined, other.secret)).status).toBe(404);
  });

  it('has no quote where none was asked for, and no sum of money where none is known', async () => {
    const file = await putFile(lines(1));
    const batch = await world.putBatch(file._id, { ownerId: mine.keyId });
    expect((await ask('GET', `/v1/batches/${batch._id}/quote`)).body).toMatchObject({
      quote: null,
      actual: { status: 'validating', is_final: false, cost_usd: null, meter_usd: null },
    });
  });
});
