import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toAccountView } from '../../api/admin/lane-view.ts';
import type { LaneDoc } from '../../store/lanes.ts';
import { plantLaneDoc } from '../support/planted.ts';
import { failed } from './admin-fake.ts';
import { startCliBench, type CliBench } from './cli-bench.ts';

let bench: CliBench;

const account = (rest: object = {}): { account: object } => ({
  account: {
    id: 'bbbb00000002',
    alias: 'main',
    kind: 'plan',
    state: 'signing_in',
    why: null,
    coolingUntil: null,
    concurrency: 4,
    models: [],
    email: null,
    planType: null,
    windows: [],
    login: null,
    ...rest,
  },
});
const login = (userCode: string, inMinutes = 15): object => ({
  login: {
    verificationUrl: 'https://auth.openai.com/codex/device',
    userCode,
    expiresAt: Date.UTC(2026, 10, 20, 12, inMinutes),
  },
});
const SIGNED_IN = account({ state: 'ready', email: 'owner@example.com', planType: 'plus' });
const listOf = (...accounts: { account: object }[]): object => ({ data: accounts.map((each) => each.account) });
const calls = (): string[] => bench.admin.seen.map(({ call }) => call);

/** An account as the admin API shows it when its worker is gone. */
const silently = (state: LaneDoc['state']): { account: object } => ({
  account: toAccountView({
    ...plantLaneDoc('bbbb00000002', { kind: 'plan', alias: 'main', hostId: 'host_1', state }),
    silent: true,
  }),
});

const ACCOUNT_PATH = '/admin/accounts/bbbb00000002';

beforeEach(async () => {
  bench = await startCliBench();
  bench.admin.on('GET /admin/accounts', listOf());
  bench.admin.on('POST /admin/accounts', { status: 201, body: account() });
});

afterEach(() => bench.close());

describe('flatlane login', () => {
  it('makes the account, shows address and code once, and waits until it is signed in', async () => {
    bench.admin.on(
      `GET ${ACCOUNT_PATH}`,
      account(),
      account(login('ABCD-1234')),
      account(login('ABCD-1234')),
      SIGNED_IN,
    );
    expect(await bench.flatlane('login')).toBe(0);
    expect(bench.out).toEqual([
      "To sign in account 'main':",
      '  1. open   https://auth.openai.com/codex/device',
      '  2. enter  ABCD-1234',
      'The code is good until 2026-11-20 12:15Z. Waiting; Ctrl-C leaves the sign-in open.',
      "Account 'main' is signed in: owner@example.com, plan plus, ready.",
    ]);
    expect(bench.admin.seen[1]).toEqual({ call: 'POST /admin/accounts', body: { alias: 'main' } });
  });

  it('shows the same code again after Ctrl-C, and asks for no new one', async () => {
    bench.admin.on('GET /admin/accounts', listOf(account(login('ABCD-1234'))));
    bench.admin.on(`GET ${ACCOUNT_PATH}`, account(login('ABCD-1234')));
    bench.onSleep = () => bench.interrupt();
    expect(await bench.flatlane('login')).toBe(130);
    expect(bench.out).toContain('  2. enter  ABCD-1234');
    expect(bench.err).toEqual([
      'The sign-in stays open. Run the same command again to see its code: flatlane login --alias main',
    ]);
    expect(calls()).toEqual(['GET /admin/accounts']);
  });

  it('asks for a new code where the old one has expired', async () => {
    bench.admin.on('GET /admin/accounts', listOf(account(login('OLD0-0000', -1))));
    bench.admin.on(`POST ${ACCOUNT_PATH}/login`, account());
    bench.admin.on(`GET ${ACCOUNT_PATH}`, account(login('NEW1-1111')), SIGNED_IN);
    expect(await bench.flatlane('login')).toBe(0);
    expect(bench.out).toContain('  2. enter  NEW1-1111');
    expect(bench.out.join()).not.toContain('OLD0-0000');
  });

  it('says so when the code expires while it waits, and how to get a new one', async () => {
    bench.admin.on(`GET ${ACCOUNT_PATH}`, account(login('ABCD-1234', 1)));
    expect(await bench.flatlane('login')).toBe(1);
    expect(bench.err).toEqual(['The code has expired. Get a new one with: flatlane login --alias main']);
  });

  it('waits for another code when the one that it has shown for a while is taken back', async () => {
    const shown = Array.from({ length: 40 }, () => account(login('ABCD-1234')));
    bench.admin.on(`GET ${ACCOUNT_PATH}`, ...shown, account(), account(login('NEW1-1111')), SIGNED_IN);
    expect(await bench.flatlane('login')).toBe(0);
    expect(bench.out.filter((line) => line.includes('enter'))).toEqual([
      '  2. enter  ABCD-1234',
      '  2. enter  NEW1-1111',
    ]);
  });

  it('fails at once when the sign-in is denied while it waits', async () => {
    const why = 'the sign-in was denied, or its code has expired';
    bench.admin.on(`GET ${ACCOUNT_PATH}`, account(login('ABCD-1234')), account({ state: 'needs_login', why }));
    expect(await bench.flatlane('login')).toBe(1);
    expect(bench.err).toEqual([
      `The sign-in of 'main' did not work (${why}). Try again with: flatlane login --alias main`,
    ]);
  });

  it('is done at once for an account that is signed in', async () => {
    bench.admin.on('GET /admin/accounts', listOf(SIGNED_IN));
    expect(await bench.flatlane('login')).toBe(0);
    expect(bench.out).toHaveLength(1);
    expect(calls()).toEqual(['GET /admin/accounts']);
  });

  it('signs an account in again whose sign-in was lost', async () => {
    bench.admin.on(
      'GET /admin/accounts',
      listOf(account({ state: 'needs_login', why: 'the sign-in is not accepted' })),
    );
    bench.admin.on(`POST ${ACCOUNT_PATH}/login`, account());
    bench.admin.on(`GET ${ACCOUNT_PATH}`, account(login('ABCD-1234')), SIGNED_IN);
    expect(await bench.flatlane('login')).toBe(0);
  });

  it('tells why a sign-in did not work', async () => {
    bench.admin.on(`GET ${ACCOUNT_PATH}`, account({ state: 'needs_login', why: 'it was refused' }));
    expect(await bench.flatlane('login')).toBe(1);
    expect(bench.err).toEqual([
      "The sign-in of 'main' did not work (it was refused). Try again with: flatlane login --alias main",
    ]);
  });

  it('gives up when no worker brings a code', async () => {
    bench.admin.on(`GET ${ACCOUNT_PATH}`, account());
    expect(await bench.flatlane('login')).toBe(1);
    expect(bench.err[0]).toContain('No worker has taken up the sign-in');
  });

  it.each([
    ['that served it before is gone', account()],
    ['is gone for longer than that shows', silently('signing_in')],
  ])('gives up when the worker %s', async (_, first) => {
    bench.admin.on('GET /admin/accounts', listOf(silently('needs_login')));
    bench.admin.on(`POST ${ACCOUNT_PATH}/login`, account());
    bench.admin.on(`GET ${ACCOUNT_PATH}`, first, silently('signing_in'));
    expect(await bench.flatlane('login')).toBe(1);
    expect(bench.out).toEqual([]);
    expect(bench.err[0]).toContain('No worker has taken up the sign-in');
    expect(calls()).toContain(`POST ${ACCOUNT_PATH}/login`);
  });

  it('says of an account that is signed in why it does not serve', async () => {
    bench.admin.on('GET /admin/accounts', listOf(silently('ready')));
    expect(await bench.flatlane('login')).toBe(0);
    expect(bench.out[0]).toMatch(/is signed in: .*, unhealthy \(no worker serves it: .*\)\.$/);
  });

  it.each([
    ['yes', true, [], 0],
    ['no', false, [], 1],
    ['nobody there', null, [], 1],
    ['--yes', null, ['--yes'], 0],
  ])('asks before a second account: %s', async (_, answer, more, code) => {
    const second = { ...SIGNED_IN.account, id: 'cccc00000003', alias: 'second' };
    bench.admin.on('GET /admin/accounts', listOf(SIGNED_IN));
    bench.admin.on('POST /admin/accounts', { status: 201, body: { account: second } });
    bench.answerToQuestion = answer;
    expect(await bench.flatlane('login', '--alias', 'second', ...more)).toBe(code);
    expect(calls().includes('POST /admin/accounts')).toBe(code === 0);
  });

  it('writes only the account to standard output with --json', async () => {
    bench.admin.on(`GET ${ACCOUNT_PATH}`, account(login('ABCD-1234')), SIGNED_IN);
    expect(await bench.flatlane('login', '--json')).toBe(0);
    expect(JSON.parse(bench.out.join('\n'))).toEqual(SIGNED_IN);
    expect(bench.err).toContain('  2. enter  ABCD-1234');
  });

  it('passes on why an alias can not be used', async () => {
    bench.admin.on('POST /admin/accounts', failed(409, "There is a lane with the alias 'main' already."));
    expect(await bench.flatlane('login')).toBe(1);
    expect(bench.err).toEqual(["There is a lane with the alias 'main' already."]);
  });
});
