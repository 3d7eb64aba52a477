import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startCliBench, type CliBench } from './cli-bench.ts';
import { ACCOUNT, KEY, KEY_LANE } from './admin-samples.ts';

let bench: CliBench;

beforeEach(async () => {
  bench = await startCliBench();
  bench.admin.on('GET /admin/lanes', { data: [KEY_LANE, ACCOUNT] });
});

afterEach(() => bench.close());

describe('flatlane routes', () => {
  it('lists routes by the aliases of their lanes', async () => {
    const lanes = [
      { laneId: ACCOUNT.id, model: 'gpt-5.5' },
      { laneId: KEY_LANE.id, model: 'openai/gpt-5.5' },
      { laneId: 'gone', model: 'gpt-5.5' },
    ];
    bench.admin.on('GET /admin/routes', { data: [{ model: 'gpt-5.5', lanes }] });
    expect(await bench.flatlane('routes')).toBe(0);
    expect(bench.out).toEqual([
      'MODEL    LANES                                          METERED  RUNS',
      'gpt-5.5  main > openai=openai/gpt-5.5 > gone (removed)  -        -',
    ]);
  });

  it('keeps how a route spends and runs when its lanes change, until it is told otherwise', async () => {
    const before = { model: 'gpt-5.5', lanes: [{ laneId: KEY_LANE.id }], metered: 'never', direct: false };
    bench.admin.on('GET /admin/routes', { data: [before] });
    bench.admin.on('PUT /admin/routes/gpt-5.5', (body: unknown) => ({ route: body }));
    expect(await bench.flatlane('routes', 'set', 'gpt-5.5', 'main', 'openai')).toBe(0);
    expect(bench.out).toEqual(['gpt-5.5 is served by main > openai (metered: never, as workflow).']);
    expect(bench.admin.seen.at(-1)?.body).toMatchObject({ metered: 'never', direct: false });
    expect(await bench.flatlane('routes', 'set', 'gpt-5.5', 'main', '--metered', 'auto', '--no-durable')).toBe(0);
    expect(bench.out).toEqual(['gpt-5.5 is served by main (metered: auto).']);
    expect(bench.admin.seen.at(-1)?.body).toEqual({ lanes: [{ laneId: ACCOUNT.id }], metered: 'auto' });
  });

  it('sets a route in order, with another name of the model at a lane', async () => {
    bench.admin.on('GET /admin/routes', { data: [] });
    bench.admin.on('PUT /admin/routes/openai/gpt-5.5', (body: unknown) => ({ route: body }));
    expect(await bench.flatlane('routes', 'set', 'openai/gpt-5.5', 'main=gpt-5.5', 'openai')).toBe(0);
    expect(bench.out).toEqual(['openai/gpt-5.5 is served by main=gpt-5.5 > openai.']);
    expect(bench.admin.seen.at(-1)?.body).toEqual({
      lanes: [{ laneId: ACCOUNT.id, model: 'gpt-5.5' }, { laneId: KEY_LANE.id }],
    });
  });

  it('sets a route whose lanes share, by weight and without', async () => {
    bench.admin.on('GET /admin/routes', { data: [] });
    bench.admin.on('PUT /admin/routes/gpt-5.5', (body: unknown) => ({ route: body }));
    expect(await bench.flatlane('routes', 'set', 'gpt-5.5', 'main:3,openai:1=o', 'openai')).toBe(0);
    expect(bench.out).toEqual(['gpt-5.5 is served by main:3,openai:1=o > openai.']);
    expect(bench.admin.seen.at(-1)?.body).toEqual({
      lanes: [
        { laneId: ACCOUNT.id, weight: 3, rung: 1 },
        { laneId: KEY_LANE.id, weight: 1, model: 'o', rung: 1 },
        { laneId: KEY_LANE.id, rung: 2 },
      ],
    });
  });

  it('sets a route with its consent, as workflows', async () => {
    bench.admin.on('GET /admin/routes', { data: [] });
    bench.admin.on('PUT /admin/routes/gpt-5.5', (body: unknown) => ({ route: body }));
    expect(await bench.flatlane('routes', 'set', 'gpt-5.5', 'openai', '--metered', 'ask', '--durable')).toBe(0);
    expect(bench.admin.seen.at(-1)?.body).toEqual({ lanes: [{ laneId: KEY_LANE.id }], metered: 'ask', direct: false });
  });

  it('removes a route', async () => {
    bench.admin.on('DELETE /admin/routes/gpt-5.5', { model: 'gpt-5.5', deleted: true });
    expect(await bench.flatlane('routes', 'remove', 'gpt-5.5')).toBe(0);
    expect(bench.out).toEqual(['Removed the route of gpt-5.5.']);
  });
});

describe('flatlane keys', () => {
  it('lists keys', async () => {
    bench.admin.on('GET /admin/keys', { data: [KEY, { ...KEY, id: 'key_2', admin: true, planLanes: true }] });
    expect(await bench.flatlane('keys')).toBe(0);
    expect(bench.out).toEqual([
      'ID     NAME    LANES                 METERED  CREATED            REVOKED',
      'key_1  my app  keys only             auto     2026-09-21 14:13Z  -',
      'key_2  my app  plan and keys, admin  auto     2026-09-21 14:13Z  -',
    ]);
  });

  it('makes a key with a consent, and changes it', async () => {
    bench.admin.on('POST /admin/keys', { status: 201, body: { key: KEY, secret: 'sk-fl-secret' } });
    bench.admin.on('PATCH /admin/keys/key_1', { key: { ...KEY, metered: 'ask' } });
    expect(await bench.flatlane('keys', 'create', '--name', 'my app', '--metered', 'never')).toBe(0);
    expect(bench.admin.seen.at(-1)?.body).toEqual({ name: 'my app', planLanes: false, metered: 'never' });
    expect(await bench.flatlane('keys', 'set', 'key_1', '--metered', 'ask')).toBe(0);
    expect(bench.admin.seen.at(-1)?.body).toEqual({ metered: 'ask' });
    expect(await bench.flatlane('keys', 'set', 'key_1', '--metered', 'sometimes')).toBe(1);
  });

  it('makes a key for key lanes, and writes nothing but the key to standard output', async () => {
    bench.admin.on('POST /admin/keys', { status: 201, body: { key: KEY, secret: 'sk-fl-secret' } });
    expect(await bench.flatlane('keys', 'create', '--name', 'my app')).toBe(0);
    expect(bench.out).toEqual(['sk-fl-secret']);
    expect(bench.err).toEqual(['The key is shown only now. Keep it in a safe place:']);
    expect(bench.admin.seen[0]?.body).toEqual({ name: 'my app', planLanes: false });
  });

  it.each([
    ['the owner says yes', true, [], 0],
    ['--yes is given', null, ['--yes'], 0],
    ['the owner says no', false, [], 1],
    ['nobody is there to ask', null, [], 1],
  ])(
    'warns of the terms before a key for the plan, and when %s ends with the right code',
    async (_, answer, more, code) => {
      bench.admin.on('POST /admin/keys', { status: 201, body: { key: KEY, secret: 'sk-fl-secret' } });
      bench.answerToQuestion = answer;
      expect(await bench.flatlane('keys', 'create', '--name', 'my app', '--plan', ...more)).toBe(code);
      expect(bench.err[0]).toContain('Your ChatGPT terms apply');
      expect(bench.admin.seen.map(({ body }) => body)).toEqual(code === 0 ? [{ name: 'my app', planLanes: true }] : []);
    },
  );

  it('revokes a key', async () => {
    bench.admin.on('DELETE /admin/keys/key_1', { key: { ...KEY, revokedAt: 1 } });
    expect(await bench.flatlane('keys', 'revoke', 'key_1')).toBe(0);
    expect(bench.out).toEqual(["Revoked key 'my app' (key_1)."]);
  });
});

describe('the batches of a key', () => {
  it.each([
    [[], '', 'cancel', 2, ' Batches of it that are being cancelled: 2.'],
    [[], '', 'cancel', 0, ' It has no batch to cancel.'],
    [['--batches', 'finish'], '?batches=finish', 'finish', 0, ' Its batches run to their end.'],
    [['--batches', 'cancel'], '?batches=cancel', 'cancel', 1, ' Batches of it that are being cancelled: 1.'],
  ])(
    'end with it or run on, and it is said which: %j',
    async (options, query, revokedBatches, cancelledBatches, note) => {
      bench.admin.on(`DELETE /admin/keys/key_1${query}`, {
        key: { ...KEY, revokedAt: 1, revokedBatches },
        cancelledBatches,
      });
      expect(await bench.flatlane('keys', 'revoke', 'key_1', ...options)).toBe(0);
      expect(bench.out).toEqual([`Revoked key 'my app' (key_1).${note}`]);
    },
  );

  it('have no third way', async () => {
    expect(await bench.flatlane('keys', 'revoke', 'key_1', '--batches', 'keep')).toBe(1);
    expect(bench.admin.seen).toEqual([]);
  });

  it('are cancelled one by one by the owner, whosever they are', async () => {
    const batch = { id: 'batch_1', status: 'cancelling' };
    bench.admin.on('POST /admin/batches/batch_1/cancel', { keyId: 'key_2', batch });
    expect(await bench.flatlane('keys', 'cancel-batch', 'batch_1')).toBe(0);
    expect(bench.out).toEqual(['Batch batch_1 of key key_2 is cancelling.']);
  });
});

describe('flatlane logs', () => {
  const entry = {
    id: 'req_1',
    model: 'gpt-5.5',
    status: 'answered',
    httpStatus: 200,
    laneAlias: 'main',
    attempts: [{ outcome: 'broken' }, { outcome: 'answered' }],
    usage: { promptTokens: 20, cachedPromptTokens: 0, completionTokens: 5, reasoningTokens: 0 },
    costMicros: 0,
    meterMicros: 250,
    at: Date.UTC(2026, 10, 20, 11, 59),
  };

  it('lists entries, and shows what is unknown as a dash', async () => {
    const unknown = { ...entry, id: 'req_2', laneAlias: null, usage: null, costMicros: null, meterMicros: null };
    bench.admin.on('GET /admin/logs?limit=50', { data: [entry, { ...unknown, status: 'failed', httpStatus: 429 }] });
    expect(await bench.flatlane('logs')).toBe(0);
    expect(bench.out).toEqual([
      'TIME               ID     MODEL    OUTCOME       LANE  TRIES  TOKENS IN  TOKENS OUT  PAID       ON THE METER',
      '2026-11-20 11:59Z  req_1  gpt-5.5  answered 200  main  2      20         5           $0.000000  $0.000250',
      '2026-11-20 11:59Z  req_2  gpt-5.5  failed 429    -     2      -          -           -          -',
    ]);
  });

  it('asks for what the options say', async () => {
    const query = `limit=5&before=${Date.UTC(2026, 10, 20)}&lane=${ACCOUNT.id}&batch=batch_1`;
    bench.admin.on(`GET /admin/logs?${query}`, { data: [] });
    const options = ['--limit', '5', '--before', '2026-11-20T00:00:00Z', '--lane', 'main', '--batch', 'batch_1'];
    expect(await bench.flatlane('logs', ...options)).toBe(0);
    expect(bench.out).toEqual(['No entries.']);
  });

  it('asks for the entries of a key, and for one by its id', async () => {
    bench.admin.on('GET /admin/logs?limit=50&key=key_1&id=req_1', { data: [entry] });
    expect(await bench.flatlane('logs', '--key', 'key_1', '--id', 'req_1')).toBe(0);
    expect(bench.out[1]).toContain('req_1');
  });

  it.each(['0', '-1', 'many'])('refuses --limit %s', async (limit) => {
    expect(await bench.flatlane('logs', `--limit=${limit}`)).toBe(1);
    expect(bench.err[0]).toContain('positive whole number');
  });
});
