import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ACCOUNT, KEY_LANE } from './admin-samples.ts';
import { startCliBench, type CliBench } from './cli-bench.ts';

const PATH = `/admin/key-lanes/${KEY_LANE.id}`;
let bench: CliBench;
beforeEach(async () => {
  bench = await startCliBench();
  bench.admin.on('GET /admin/lanes', { data: [KEY_LANE, ACCOUNT] });
  bench.admin.on(`PATCH ${PATH}`, { lane: KEY_LANE });
});
afterEach(() => bench.close());

describe('flatlane lanes edit', () => {
  it.each<[string[], object]>([
    [['--alias', 'b', '--rank', '2', '--concurrency', '9'], { alias: 'b', rank: 2, concurrency: 9 }],
    [['--header', 'a=b', '--header', 'c=d', '--model', 'x', 'y'], { headers: { a: 'b', c: 'd' }, models: ['x', 'y'] }],
    [
      ['--no-header', '--no-map', '--no-price', '--no-allow-private'],
      { headers: {}, modelMap: {}, prices: {}, allowPrivateAddresses: false },
    ],
    [
      ['--map', 'a=b', '--price', 'b=1/2', '--allow-private'],
      { modelMap: { a: 'b' }, prices: { b: { inputUsd: 1, outputUsd: 2 } }, allowPrivateAddresses: true },
    ],
  ])('%j asks for what is given', async (args, body) => {
    expect(await bench.flatlane('lanes', 'edit', 'openai', ...args)).toBe(0);
    expect(bench.admin.seen.at(-1)?.body).toEqual(body);
    expect(bench.out).toEqual(["Changed lane 'openai'."]);
  });

  it('reads a key from standard input or from the environment', async () => {
    bench.secretOnStandardInput = 'sk-in';
    bench.environment.set('NEW_KEY', 'sk-env');
    expect(await bench.flatlane('lanes', 'edit', 'openai', '--base-url', 'https://x.example/v1', '--key')).toBe(0);
    expect(bench.admin.seen.at(-1)?.body).toEqual({ baseUrl: 'https://x.example/v1', apiKey: 'sk-in' });
    expect(await bench.flatlane('lanes', 'edit', 'openai', '--key-env', 'NEW_KEY')).toBe(0);
    expect(bench.admin.seen.at(-1)?.body).toEqual({ apiKey: 'sk-env' });
    expect([...bench.out, ...bench.err].join()).not.toContain('sk-');
  });

  it('needs something to change, and a key lane', async () => {
    expect(await bench.flatlane('lanes', 'edit', 'openai')).toBe(1);
    expect(bench.err[0]).toContain('Say what to change');
    expect(await bench.flatlane('lanes', 'edit', 'main', '--rank', '1')).toBe(1);
    expect(bench.err[0]).toContain('flatlane accounts');
  });
});

describe('flatlane accounts set', () => {
  it('changes the rank of an account', async () => {
    const path = `/admin/accounts/${ACCOUNT.id}`;
    bench.admin.on('GET /admin/accounts', { data: [ACCOUNT] });
    bench.admin.on(`PATCH ${path}`, { account: ACCOUNT });
    expect(await bench.flatlane('accounts', 'set', 'main', '--rank', '1')).toBe(0);
    expect(bench.admin.seen.at(-1)?.body).toEqual({ rank: 1 });
    expect(bench.out).toEqual(["'main': 4 at a time, 0% of the week kept, rank 1."]);
  });
});

describe('flatlane lanes pause and resume', () => {
  it.each([
    ['pause', "Paused 'openai'."],
    ['resume', "Resumed 'openai'."],
  ])('%s', async (name, said) => {
    bench.admin.on(`POST ${PATH}/${name}`, { lane: KEY_LANE });
    expect(await bench.flatlane('lanes', name, 'openai')).toBe(0);
    expect(bench.out).toEqual([said]);
  });
});
