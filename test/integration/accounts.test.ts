import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccountShown } from '../../scripts/admin-http.ts';
import { createAdminHttp } from '../../scripts/admin-http.ts';
import { personalAccessToken } from '../standins/chatgpt/tokens.ts';
import { codexEnvironment, readAddresses, spawnStart, startGateway, type Gateway } from '../support/gateway.ts';

const MODEL = 'gpt-5.5';

type Account = AccountShown & {
  hold: string;
  drainedAt: number | null;
  concurrency: number;
  weeklyReservePercent: number;
  email: string | null;
  windows: { name: string; usedPercent: number }[];
};

describe('accounts as durable things', () => {
  let gateway: Gateway;
  let lanes: { home: string; work: string; key: string };

  beforeAll(async () => {
    gateway = await startGateway({ home: {}, work: {}, bearer: {} });
    const { admin, chatgpt, openai } = gateway;
    const home = await admin.addAccount('home', (code) => chatgpt.approve(code, 'home'));
    const work = await admin.addAccount('work', (code) => chatgpt.approve(code, 'work'));
    const key = await admin.addKeyLane({ alias: 'meter', baseUrl: openai.url, apiKey: openai.key });
    lanes = { home: home.id, work: work.id, key };
    await admin.setRoute(MODEL, [home.id, work.id, key]);
  });
  afterAll(() => gateway.stop());

  const call = <Answer>(method: string, path: string, body?: unknown): Promise<Answer> =>
    gateway.admin.call<Answer>(method, `/admin/accounts/${path}`, body);
  const account = async (id: string): Promise<Account> => (await call<{ account: Account }>('GET', id)).account;
  const ask = async (content: string): Promise<string | null> => {
    const { response } = await gateway
      .client()
      .chat.completions.create({ model: MODEL, messages: [{ role: 'user', content }] })
      .withResponse();
    return response.headers.get('x-flatlane-account');
  };

  /** The worker takes its owner's wishes in twice a second. */
  const resume = async (id: string): Promise<void> => {
    await call('POST', `${id}/resume`);
    await expect.poll(() => ask('back again')).toBe((await account(id)).alias);
  };

  it('asks for an acknowledgement before a second account', async () => {
    await expect(gateway.admin.call('POST', '/admin/accounts', { alias: 'third' })).rejects.toThrow(
      /answered 400.*do not use several accounts to get around limits.*"param":"acknowledge"/,
    );
  });

  it('renames an account, and refuses an alias that is taken', async () => {
    await call('PATCH', lanes.home, { alias: 'sofa' });
    expect(await ask('who?')).toBe('sofa');
    await expect(call('PATCH', lanes.home, { alias: 'work' })).rejects.toThrow('answered 409');
    await call('PATCH', lanes.home, { alias: 'home' });
  });

  it('pauses an account without an upstream attempt, and resumes it', async () => {
    const { account: paused } = await call<{ account: Account }>('POST', `${lanes.home}/pause`);
    expect(paused).toMatchObject({ state: 'off', hold: 'paused', why: 'paused by its owner' });
    expect(await ask('at work')).toBe('work');
    await resume(lanes.home);
  });

  it('drains an account: what is under way is finished, nothing new is taken, then it is off', async () => {
    const underWay = ask('[[delay:2500]] slow');
    await expect.poll(() => gateway.chatgpt.attempts().at(-1)?.lastUserText).toContain('slow');
    await call('POST', `${lanes.home}/drain`);
    expect(await ask('meanwhile')).toBe('work');
    expect(await account(lanes.home)).toMatchObject({ hold: 'draining', drainedAt: null });
    expect(await underWay).toBe('home');
    await expect.poll(() => account(lanes.home)).toMatchObject({ state: 'off', hold: 'paused' });
    expect((await account(lanes.home)).drainedAt).toBeGreaterThan(0);
    await resume(lanes.home);
  });

  it('changes how many requests it takes at a time while it runs', async () => {
    const mostOpen = async (concurrency: number): Promise<number | undefined> => {
      await call('PATCH', lanes.home, { concurrency });
      // A check is answered by the worker, which has taken the change in by then.
      await call('POST', `${lanes.home}/check`);
      gateway.chatgpt.reset();
      await Promise.all(Array.from({ length: 6 }, (_, index) => ask(`[[delay:300]] ${index}`)));
      return gateway.chatgpt.counts().mostOpen['home'];
    };
    expect(await mostOpen(1)).toBe(1);
    expect(await mostOpen(6)).toBeGreaterThan(1);
    await expect(call('PATCH', lanes.home, { concurrency: 17 })).rejects.toThrow('answered 400');
  });

  it('notices at a check that the window is used up, and that it was reset early', async () => {
    gateway.chatgpt.script('home', { exhaustAfter: 0 });
    const out = await call<{ account: Account; checked: boolean }>('POST', `${lanes.home}/check`);
    expect(out).toMatchObject({ checked: true, account: { state: 'cooling' } });
    const before = gateway.chatgpt.counts().calls;
    expect(await ask('after the check')).toBe('work');
    expect(gateway.chatgpt.counts().byAccount['home']?.limit).toBeUndefined();
    expect(gateway.chatgpt.counts().calls).toBe(before + 1);
    gateway.chatgpt.script('home', { exhaustAfter: undefined });
    const back = await call<{ account: Account }>('POST', `${lanes.home}/check`);
    expect(back.account.state).toBe('ready');
    expect(await ask('early')).toBe('home');
  });

  it('keeps the history of its windows', async () => {
    const { data } = await call<{ data: { window: string; usedPercent: number; at: number }[] }>(
      'GET',
      `${lanes.home}/windows`,
    );
    expect(new Set(data.map(({ window }) => window))).toEqual(new Set(['five_hours', 'week']));
    expect(data.filter(({ window }) => window === 'five_hours').map(({ usedPercent }) => usedPercent)).toContain(100);
    expect(data.map(({ at }) => at)).toEqual(data.map(({ at }) => at).toSorted((left, right) => right - left));
  });

  it('keeps the weekly reserve from batch lines alone', async () => {
    await call('PATCH', lanes.home, { weeklyReservePercent: 70 });
    const { admin } = gateway;
    const file = await gateway.client().files.create({
      file: new File(
        [
          JSON.stringify({
            custom_id: 'one',
            method: 'POST',
            url: '/v1/chat/completions',
            body: { model: MODEL, messages: [{ role: 'user', content: 'a line' }] },
          }),
        ],
        'rows.jsonl',
      ),
      purpose: 'batch',
    });
    const { id } = await gateway.client().batches.create({
      input_file_id: file.id,
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
    });
    await expect.poll(async () => (await gateway.client().batches.retrieve(id)).status).toBe('completed');
    expect((await admin.lanesOfBatch(id)).map(({ laneId }) => laneId)).toEqual([lanes.work]);
    expect(await ask('interactive')).toBe('home');
    await call('PATCH', lanes.home, { weeklyReservePercent: 0 });
  });

  it('signs an account out here, says what it can not do, and signs it in again', async () => {
    const answer = await call<{
      signedOut: boolean;
      account: Account;
      everywhere: { signedOut: boolean; how: string };
    }>('POST', `${lanes.work}/sign-out`, { everywhere: true });
    expect(answer.signedOut).toBe(true);
    expect(answer.account).toMatchObject({
      state: 'needs_login',
      why: 'signed out by its owner',
      email: null,
      windows: [],
    });
    expect(answer.everywhere).toMatchObject({
      signedOut: false,
      how: expect.stringContaining('Log out of all devices'),
    });
    expect(gateway.chatgpt.revocations()).toBe(1);
    await call('POST', `${lanes.work}/login`);
    const waiting = await gateway.admin.waitForAccount(lanes.work, ({ login }) => login !== null, 20_000);
    gateway.chatgpt.approve(waiting.login?.userCode ?? '', 'work');
    await gateway.admin.waitForAccount(lanes.work, ({ state }) => state === 'ready', 20_000);
  });

  it('signs an account in by an access token, which is kept sealed and shown nowhere', async () => {
    const { admin, chatgpt } = gateway;
    const { account: added } = await admin.call<{ account: Account }>('POST', '/admin/accounts', {
      alias: 'bearer',
      acknowledge: true,
      accessToken: personalAccessToken('bearer'),
    });
    await admin.waitForAccount(added.id, ({ state }) => state === 'ready', 20_000);
    const shown = await account(added.id);
    expect(shown).toMatchObject({ signIn: 'access_token', email: 'bearer@example.com', login: null });
    expect(JSON.stringify(shown)).not.toContain(personalAccessToken('bearer'));
    await admin.call('PUT', `/admin/routes/by-token`, { lanes: [{ laneId: added.id, model: MODEL }] });
    const answer = await gateway
      .client()
      .chat.completions.create({ model: 'by-token', messages: [{ role: 'user', content: 'hi' }] });
    expect(answer.choices[0]?.message.content).toBe('echo: hi');
    expect(chatgpt.counts().byAccount['bearer']?.answered).toBe(1);

    expect(await call('POST', `${added.id}/sign-out`)).toMatchObject({ signedOut: true });
    await admin.waitForAccount(added.id, ({ state }) => state === 'needs_login', 20_000);
    await call('POST', `${added.id}/login`, { accessToken: 'at-nobody0' });
    await admin.waitForAccount(added.id, ({ why }) => why === 'the access token is not accepted', 20_000);
    await call('POST', `${added.id}/login`, { accessToken: personalAccessToken('bearer') });
    await admin.waitForAccount(added.id, ({ state }) => state === 'ready', 20_000);
    expect(await call('DELETE', added.id)).toMatchObject({ deleted: true });
  });

  it('removes an account with its home, its history and its place in the routes', async () => {
    const home = join(gateway.dataDir, 'accounts', lanes.work, 'home');
    expect(existsSync(home)).toBe(true);
    await expect(gateway.admin.call('DELETE', `/admin/lanes/${lanes.work}`)).rejects.toThrow('answered 409');
    expect(await call('DELETE', lanes.work)).toEqual({ id: lanes.work, deleted: true });
    expect(existsSync(home)).toBe(false);
    expect(gateway.chatgpt.revocations()).toBe(2);
    const { data } = await gateway.admin.call<{ data: { model: string; lanes: { laneId: string }[] }[] }>(
      'GET',
      '/admin/routes',
    );
    expect(data.find(({ model }) => model === MODEL)?.lanes.map(({ laneId }) => laneId)).toEqual([
      lanes.home,
      lanes.key,
    ]);
    await expect(account(lanes.work)).rejects.toThrow('answered 404');
  });

  it('is paused and cooling after a restart as it was before', async () => {
    await call('POST', `${lanes.home}/pause`);
    gateway.chatgpt.script('home', { exhaustAfter: 0 });
    await call('POST', `${lanes.home}/check`);
    await gateway.process.stop();
    const again = spawnStart(gateway.dataDir, codexEnvironment(gateway.chatgpt));
    try {
      const { adminUrl } = await readAddresses(again);
      const admin = createAdminHttp(adminUrl, gateway.adminKey);
      const read = async (): Promise<Account> =>
        (await admin.call<{ account: Account }>('GET', `/admin/accounts/${lanes.home}`)).account;
      // A check answers when the worker has the account up: nothing of the start may have undone the pause.
      await admin.call('POST', `/admin/accounts/${lanes.home}/check`);
      expect(await read()).toMatchObject({ state: 'off', hold: 'paused' });
      await admin.call('POST', `/admin/accounts/${lanes.home}/resume`);
      expect(await read()).toMatchObject({ state: 'cooling', hold: 'none' });
      expect((await read()).windows.find(({ name }) => name === 'five_hours')?.usedPercent).toBe(100);
    } finally {
      await again.stop();
    }
  });
});
