import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startCliBench, type CliBench } from './cli-bench.ts';

const KEY_LANE = {
  id: 'aaaa00000001',
  alias: 'openai',
  kind: 'key',
  state: 'ready',
  why: null,
  coolingUntil: null,
  concurrency: 32,
  models: ['*'],
  baseUrl: 'https://api.openai.com/v1',
};
const ACCOUNT = {
  ...KEY_LANE,
  id: 'bbbb00000002',
  alias: 'main',
  kind: 'plan',
  state: 'cooling',
  why: 'the 5-hour window is used up',
  coolingUntil: Date.UTC(2026, 10, 20, 15, 30),
  concurrency: 4,
  models: ['gpt-5.5'],
  baseUrl: null,
  email: 'owner@example.com',
  planType: 'plus',
  windows: [{ name: '5h', durationMinutes: 300, usedPercent: 100, resetsAt: Date.UTC(2026, 10, 20, 15, 30) }],
  login: null,
};
const KEY = {
  id: 'key_1',
  name: 'my app',
  admin: false,
  planLanes: false,
  createdAt: 1_790_000_000_000,
  revokedAt: null,
};

let bench: CliBench;

beforeEach(async () => {
  bench = await startCliBench();
  bench.admin.on('GET /admin/lanes', { data: [KEY_LANE, ACCOUNT] });
});

afterEach(() => bench.close());

describe('flatlane accounts', () => {
  it('lists accounts with their windows', async () => {
    bench.admin.on('GET /admin/accounts', { data: [ACCOUNT] });
    expect(await bench.flatlane('accounts')).toBe(0);
    expect(bench.out).toEqual([
      'ALIAS  STATE    ACCOUNT            PLAN  WINDOWS                                 COOLING UNTIL      AT A TIME  WHY',
      'main   cooling  owner@example.com  plus  5h 100% used, resets 2026-11-20 15:30Z  2026-11-20 15:30Z  4          the 5-hour window is used up',
    ]);
  });

  it('says how to add the first one', async () => {
    bench.admin.on('GET /admin/accounts', { data: [] });
    await bench.flatlane('accounts');
    expect(bench.out).toEqual(['No accounts yet. Add one with: flatlane login']);
  });
});

describe('flatlane lanes', () => {
  it('lists lanes of both kinds', async () => {
    expect(await bench.flatlane('lanes')).toBe(0);
    expect(bench.out).toHaveLength(3);
    expect(bench.out[1]).toMatch(/^openai +key +ready +\* +https:\/\/api\.openai\.com\/v1 +- +32 +aaaa00000001 +-$/);
  });

  it('shows the answer as it is with --json, before or after the command', async () => {
    await bench.flatlane('lanes', '--json');
    expect(JSON.parse(bench.out.join('\n'))).toEqual({ data: [KEY_LANE, ACCOUNT] });
    await bench.flatlane('--json', 'lanes');
    expect(JSON.parse(bench.out.join('\n'))).toEqual({ data: [KEY_LANE, ACCOUNT] });
  });

  it('adds a key lane with a key from standard input', async () => {
    bench.admin.on('POST /admin/key-lanes', { status: 201, body: { lane: KEY_LANE } });
    bench.secretOnStandardInput = 'sk-from-stdin\n';
    const args = ['--alias', 'openai', '--base-url', 'https://api.openai.com/v1'];
    expect(await bench.flatlane('lanes', 'add-key', ...args)).toBe(0);
    expect(bench.out).toEqual(["Added lane 'openai' (aaaa00000001)."]);
    expect(bench.admin.seen).toEqual([
      {
        call: 'POST /admin/key-lanes',
        body: { alias: 'openai', baseUrl: 'https://api.openai.com/v1', apiKey: 'sk-from-stdin' },
      },
    ]);
  });

  it('adds a key lane with a key from a named variable and with all options', async () => {
    bench.admin.on('POST /admin/key-lanes', { status: 201, body: { lane: KEY_LANE } });
    bench.environment.set('MY_KEY', 'sk-from-env');
    const more = ['--key-env', 'MY_KEY', '--model', 'a', 'b', '--allow-private', '--concurrency', '9'];
    await bench.flatlane('lanes', 'add-key', '--alias', 'own', '--base-url', 'http://10.0.0.2/v1', ...more);
    expect(bench.admin.seen[0]?.body).toEqual({
      alias: 'own',
      baseUrl: 'http://10.0.0.2/v1',
      apiKey: 'sk-from-env',
      models: ['a', 'b'],
      allowPrivateAddresses: true,
      concurrency: 9,
    });
  });

  it('adds a key lane by a preset, with headers, names of models and prices', async () => {
    bench.admin.on('POST /admin/key-lanes', { status: 201, body: { lane: KEY_LANE } });
    bench.secretOnStandardInput = 'sk-a\n';
    const more = [
      '--header',
      'x-a=b=c',
      '--header',
      'x-d=e',
      '--map',
      'gpt=vendor/gpt',
      '--price',
      'vendor/gpt=2.5/10/0.25',
    ];
    await bench.flatlane(
      'lanes',
      'add-key',
      '--alias',
      'or',
      '--preset',
      'openrouter',
      '--auth-header',
      'x-key',
      ...more,
    );
    expect(bench.admin.seen[0]?.body).toEqual({
      alias: 'or',
      preset: 'openrouter',
      apiKey: 'sk-a',
      authHeader: 'x-key',
      headers: { 'x-a': 'b=c', 'x-d': 'e' },
      modelMap: { gpt: 'vendor/gpt' },
      prices: { 'vendor/gpt': { inputUsd: 2.5, outputUsd: 10, cachedInputUsd: 0.25 } },
    });
  });

  it('adds a lane over a server without a key, and asks for none', async () => {
    bench.admin.on('POST /admin/key-lanes', { status: 201, body: { lane: KEY_LANE } });
    expect(await bench.flatlane('lanes', 'add-key', '--alias', 'own', '--preset', 'ollama', '--keyless')).toBe(0);
    expect(bench.admin.seen[0]?.body).toEqual({ alias: 'own', preset: 'ollama' });
  });

  it.each([
    ['--header', 'x-a'],
    ['--map', '=x'],
    ['--price', 'gpt=2'],
    ['--price', 'gpt=a/b'],
    ['--price', 'gpt=1/2/3/4'],
  ])('refuses %s %s and sends nothing', async (option, value) => {
    expect(await bench.flatlane('lanes', 'add-key', '--alias', 'x', '--preset', 'openai', option, value)).toBe(1);
    expect(bench.admin.seen).toEqual([]);
  });

  it.each([
    ['no key on standard input', [], /Pipe it in/],
    ['a variable that is not set', ['--key-env', 'NOT_SET'], /NOT_SET is empty or not set/],
  ])('refuses %s and sends nothing', async (_, more, says) => {
    expect(
      await bench.flatlane('lanes', 'add-key', '--alias', 'x', '--base-url', 'https://x.example/v1', ...more),
    ).toBe(1);
    expect(bench.err.join('\n')).toMatch(says);
    expect(bench.admin.seen).toEqual([]);
  });

  it('has no option that takes a key on the command line', async () => {
    const args = ['--alias', 'x', '--base-url', 'https://x.example/v1', '--key', 'sk-a'];
    expect(await bench.flatlane('lanes', 'add-key', ...args)).toBe(1);
    expect(bench.err[0]).toContain("unknown option '--key'");
  });

  it('removes a lane by its alias or its id', async () => {
    bench.admin.on('DELETE /admin/lanes/aaaa00000001', { id: 'aaaa00000001', deleted: true });
    expect(await bench.flatlane('lanes', 'remove', 'openai')).toBe(0);
    expect(await bench.flatlane('lanes', 'remove', 'aaaa00000001')).toBe(0);
    expect(bench.out).toEqual(["Removed lane 'openai'."]);
  });

  it('names the lanes there are when one is not found', async () => {
    expect(await bench.flatlane('lanes', 'remove', 'opnai')).toBe(1);
    expect(bench.err).toEqual(["There is no lane 'opnai'. There are: openai, main."]);
  });
});

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

  it('sets a route in order, with another name of the model at a lane', async () => {
    bench.admin.on('PUT /admin/routes/openai/gpt-5.5', (body: unknown) => ({ route: body }));
    expect(await bench.flatlane('routes', 'set', 'openai/gpt-5.5', 'main=gpt-5.5', 'openai')).toBe(0);
    expect(bench.out).toEqual(['openai/gpt-5.5 is served by main=gpt-5.5 > openai.']);
    expect(bench.admin.seen.at(-1)?.body).toEqual({
      lanes: [{ laneId: ACCOUNT.id, model: 'gpt-5.5' }, { laneId: KEY_LANE.id }],
    });
  });

  it('sets a route with its consent, as workflows', async () => {
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

  it.each(['0', '-1', 'many'])('refuses --limit %s', async (limit) => {
    expect(await bench.flatlane('logs', `--limit=${limit}`)).toBe(1);
    expect(bench.err[0]).toContain('positive whole number');
  });
});
