import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startCliBench, type CliBench } from './cli-bench.ts';
import { ACCOUNT, KEY_LANE } from './admin-samples.ts';

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

  it('asks for the provider before it asks for a key', async () => {
    expect(await bench.flatlane('lanes', 'add-key', '--alias', 'own', '--key-env', 'NOT_SET')).toBe(1);
    expect(bench.err).toEqual(['Say which provider it is: --preset, or --base-url with its address.']);
    expect(bench.admin.seen).toEqual([]);
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

  it('says how a price looks to somebody who leaves the model out', async () => {
    await bench.flatlane('lanes', 'add-key', '--alias', 'x', '--preset', 'openai', '--price', '2.5/10');
    expect(bench.err.join()).toContain('It looks like model=2.5/10');
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
