import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startCliBench, type CliBench } from './cli-bench.ts';

const ACCOUNT = {
  id: 'bbbb00000002',
  alias: 'main',
  kind: 'plan',
  state: 'ready',
  hold: 'none',
  why: null,
  coolingUntil: null,
  concurrency: 4,
  models: ['gpt-5.5'],
  weeklyReservePercent: 20,
  windows: [],
};
const PATH = '/admin/accounts/bbbb00000002';

let bench: CliBench;
beforeEach(async () => {
  bench = await startCliBench();
  bench.admin.on('GET /admin/accounts', { data: [ACCOUNT] });
});
afterEach(() => bench.close());

const lastCall = () => bench.admin.seen.at(-1);

describe('flatlane accounts', () => {
  it.each([
    ['pause', "Paused 'main'."],
    ['resume', "Resumed 'main'."],
    ['drain', "Draining 'main'; it is off when it is empty: flatlane accounts"],
  ])('%s: asks for it and says so', async (name, says) => {
    bench.admin.on(`POST ${PATH}/${name}`, { account: ACCOUNT });
    expect(await bench.flatlane('accounts', name, 'main')).toBe(0);
    expect(bench.out).toEqual([says]);
  });

  it('finds an account by its id too, and names the accounts there are', async () => {
    bench.admin.on(`POST ${PATH}/pause`, { account: ACCOUNT });
    expect(await bench.flatlane('accounts', 'pause', ACCOUNT.id)).toBe(0);
    expect(await bench.flatlane('accounts', 'pause', 'mian')).toBe(1);
    expect(bench.err).toEqual(["There is no account 'mian'. There are: main."]);
  });

  it('renames', async () => {
    bench.admin.on(`PATCH ${PATH}`, { account: ACCOUNT });
    expect(await bench.flatlane('accounts', 'rename', 'main', 'sofa')).toBe(0);
    expect(lastCall()?.body).toEqual({ alias: 'sofa' });
    expect(bench.out).toEqual(["Renamed 'main' to 'sofa'."]);
  });

  it('sets what is given and nothing else', async () => {
    bench.admin.on(`PATCH ${PATH}`, { account: ACCOUNT });
    expect(await bench.flatlane('accounts', 'set', 'main', '--reserve', '20')).toBe(0);
    expect(lastCall()?.body).toEqual({ weeklyReservePercent: 20 });
    expect(bench.out).toEqual(["'main': 4 at a time, 20% of the week kept."]);
    expect(await bench.flatlane('accounts', 'set', 'main')).toBe(1);
    expect(await bench.flatlane('accounts', 'set', 'main', '--reserve', '101')).toBe(1);
  });

  it('says how an account stands after a check, and fails when no worker looked', async () => {
    bench.admin.on(
      `POST ${PATH}/check`,
      { account: { ...ACCOUNT, state: 'cooling', why: 'used up' }, checked: true },
      { account: ACCOUNT, checked: false },
    );
    expect(await bench.flatlane('accounts', 'check', 'main')).toBe(0);
    expect(bench.out).toEqual(["Account 'main' is cooling (used up)."]);
    for (const more of [[], ['--json']]) {
      expect(await bench.flatlane('accounts', 'check', 'main', ...more)).toBe(1);
      expect(bench.err).toEqual([expect.stringContaining('No worker has looked at')]);
      expect(bench.out).toEqual([]);
    }
  });

  it('signs out here, and says what it can not do', async () => {
    const everywhere = { signedOut: false, how: 'Open the settings.' };
    bench.admin.on(`POST ${PATH}/sign-out`, { account: ACCOUNT, signedOut: true, everywhere });
    expect(await bench.flatlane('accounts', 'sign-out', 'main', '--everywhere')).toBe(0);
    expect(lastCall()?.body).toEqual({ everywhere: true });
    expect(bench.err).toEqual(['Open the settings.']);
    expect(bench.out).toEqual(["Signed out 'main' here."]);
  });

  it('fails when the account is still signed in', async () => {
    bench.admin.on(`POST ${PATH}/sign-out`, { account: ACCOUNT, signedOut: false, everywhere: null });
    expect(await bench.flatlane('accounts', 'sign-out', 'main')).toBe(1);
  });

  it.each([
    ['yes', true, [], 0],
    ['no', false, [], 1],
    ['nobody there', null, [], 1],
    ['--yes', null, ['--yes'], 0],
  ])('asks before it removes: %s', async (_, answer, more, code) => {
    bench.admin.on(`DELETE ${PATH}`, { id: ACCOUNT.id, deleted: true });
    bench.answerToQuestion = answer;
    expect(await bench.flatlane('accounts', 'remove', 'main', ...more)).toBe(code);
    expect(lastCall()?.call === `DELETE ${PATH}`).toBe(code === 0);
  });

  it('shows the history of the windows', async () => {
    const at = Date.UTC(2026, 10, 20, 12);
    bench.admin.on(`GET ${PATH}/windows?limit=50`, {
      data: [{ window: 'week', usedPercent: 41.4, resetsAt: null, at }],
    });
    expect(await bench.flatlane('accounts', 'windows', 'main')).toBe(0);
    expect(bench.out[1]).toMatch(/^2026-11-20 12:00Z +week +41% +-$/);
  });

  it('sends an owner who would remove an account as a lane to the right command', async () => {
    bench.admin.on('GET /admin/lanes', { data: [ACCOUNT] });
    expect(await bench.flatlane('lanes', 'remove', 'main')).toBe(1);
    expect(bench.err).toEqual(["'main' is an account. Remove it with: flatlane accounts remove main"]);
  });
});

describe('flatlane login', () => {
  it('signs in with an access token from standard input', async () => {
    bench.secretOnStandardInput = 'at-secret\n';
    bench.admin.on('POST /admin/accounts', { status: 201, body: { account: { ...ACCOUNT, alias: 'second' } } });
    expect(await bench.flatlane('login', '--alias', 'second', '--access-token', '--yes')).toBe(0);
    expect(lastCall()?.body).toEqual({ alias: 'second', acknowledge: true, accessToken: 'at-secret' });
  });

  it('gives an account that is there a new access token', async () => {
    bench.secretOnStandardInput = 'at-newer';
    bench.admin.on(`POST ${PATH}/login`, { account: ACCOUNT });
    expect(await bench.flatlane('login', '--access-token')).toBe(0);
    expect(lastCall()).toEqual({ call: `POST ${PATH}/login`, body: { accessToken: 'at-newer' } });
  });

  it.each(['', 'two words'])('refuses %j as an access token', async (secret) => {
    bench.secretOnStandardInput = secret;
    expect(await bench.flatlane('login', '--access-token')).toBe(1);
    expect(bench.admin.seen).toEqual([]);
  });

  it('says how to resume an account that is paused', async () => {
    bench.admin.on('GET /admin/accounts', { data: [{ ...ACCOUNT, state: 'off', hold: 'paused' }] });
    expect(await bench.flatlane('login')).toBe(1);
    expect(bench.err).toEqual(["Account 'main' is paused. Resume it with: flatlane accounts resume main"]);
  });
});
