import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { personalAccessToken } from '../../standins/chatgpt/tokens.ts';
import { says, signIn, startAccount, textOf, type SignedInAccount } from './signed-in-account.ts';

let under: SignedInAccount;

beforeEach(async () => {
  under = await startAccount();
});
afterEach(() => under.close());

describe('an account', () => {
  it('takes nothing before it is started, and nothing before it is signed in', async () => {
    expect(await under.complete(says('x'))).toMatchObject({ failure: { class: 'lane_unavailable' } });
    expect(await under.account.start()).toMatchObject({ state: 'needs_login', configWarnings: [] });
    expect(await under.complete(says('x'))).toMatchObject({ failure: { class: 'lane_unavailable' } });
    expect(under.backend.attempts()).toEqual([]);
  });

  it('signs in by device code, and then knows its e-mail, plan, models and windows', async () => {
    await under.account.start();
    const status = await signIn(under);
    expect(status).toMatchObject({ state: 'ready', email: 'main@example.com', planType: 'plus' });
    expect(status.models).toContain('gpt-5.5');
    expect(status.windows.windows.map(({ kind, usedPercent }) => [kind, usedPercent])).toEqual([
      ['week', 40],
      ['five_hours', 12],
    ]);
    expect(status.windows.ordinaryUsageAllowed).toBe(true);
    expect(under.heard.auth).toEqual(['needs_login', 'ready']);
    expect(textOf(await under.complete(says('x')))).toBe('echo: x');
  });

  it('can take a login back, and begin another', async () => {
    await under.account.start();
    const first = await under.account.login.start();
    expect(first.verificationUrl).toMatch(/^https:/);
    expect(first.expiresAt - Date.now()).toBeGreaterThan(14 * 60_000);
    await under.account.login.cancel();
    expect(await signIn(under)).toMatchObject({ state: 'ready' });
  });

  it('refreshes its tokens once when they are refused, and goes on', async () => {
    await under.account.start();
    await signIn(under);
    under.backend.script('main', { unauthorized: 'until-refresh' });
    await under.complete(says('one'));
    expect(textOf(await under.complete(says('two')))).toBe('echo: two');
    expect(under.account.status().state).toBe('ready');
  });

  it('needs a login when its sign-in is over, and asks no more', async () => {
    await under.account.start();
    await signIn(under);
    under.backend.script('main', { unauthorized: true, refreshFails: true });
    expect(await under.complete(says('one'))).toMatchObject({ ok: false, failure: { class: 'unauthorized' } });
    expect(under.account.status().state).toBe('needs_login');
    expect(under.heard.auth).toEqual(['needs_login', 'ready', 'needs_login']);
    const before = under.backend.counts().calls;
    expect(await under.complete(says('two'))).toMatchObject({ failure: { class: 'lane_unavailable' } });
    expect(under.backend.counts().calls).toBe(before);
  });

  it('needs a login when it is refused again after a refresh', async () => {
    await under.account.start();
    await signIn(under);
    under.backend.script('main', { unauthorized: true });
    for (let call = 0; call < 2; call += 1) await under.complete(says('x'));
    expect(under.account.status().state).toBe('needs_login');
  });

  it('stays open when a turn is refused late, and needs a login when the next one is refused too', async () => {
    await under.account.start();
    await signIn(under);
    const refreshed = { ok: false, failure: { class: 'lane_unavailable', upstreamStatus: 401 } };
    // Sent with the same tokens; the refusal of the second comes when they are refreshed already.
    const refuseTwo = (): Promise<unknown[]> =>
      Promise.all(['[[status:401]]', '[[status:401]] [[delay:1000]]'].map((text) => under.complete(says(text))));
    expect(await refuseTwo()).toMatchObject([refreshed, refreshed]);
    expect(under.account.status().state).toBe('ready');
    expect(textOf(await under.complete(says('x')))).toBe('echo: x');

    expect(await refuseTwo()).toMatchObject([refreshed, refreshed]);
    expect(await under.complete(says('[[status:401]]'))).toMatchObject({ failure: { class: 'unauthorized' } });
    expect(under.account.status().state).toBe('needs_login');
    expect(under.heard.auth).toEqual(['needs_login', 'ready', 'needs_login']);
  });

  it('signs out: the tokens are taken back, and it takes nothing more', async () => {
    await under.account.start();
    await signIn(under);
    await under.account.signOut();
    expect(under.backend.revocations()).toBe(1);
    expect(under.account.status()).toMatchObject({ state: 'needs_login', windows: { windows: [] } });
    expect(under.heard.auth).toEqual(['needs_login', 'ready', 'needs_login']);
    expect(await under.complete(says('x'))).toMatchObject({ failure: { class: 'lane_unavailable' } });
    expect(await signIn(under)).toMatchObject({ state: 'ready' });
  });

  it.each([
    ['is signed in by an access token in its environment', personalAccessToken('main'), 'ready'],
    ['needs a login when its access token is not accepted', personalAccessToken('nobody'), 'needs_login'],
  ])('%s', async (_, accessToken, state) => {
    const bearer = await startAccount(4, [], accessToken);
    try {
      expect(await bearer.account.start()).toMatchObject({ state });
      const outcome = await bearer.complete(says('x'));
      expect(outcome.ok).toBe(state === 'ready');
      expect(existsSync(join(bearer.homeDir, 'auth.json'))).toBe(false);
    } finally {
      await bearer.close();
    }
  });

  it('finds itself signed in after a restart of its process', async () => {
    await under.account.start();
    await signIn(under);
    const pid = under.account.pid() ?? 0;
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => under.account.pid()).not.toBe(pid);
    expect(textOf(await under.complete(says('x')))).toBe('echo: x');
    expect(under.heard.auth).toEqual(['needs_login', 'ready']);
  });

  it('stays closed when the CLI warns about its configuration', async () => {
    const closed = await startAccount(4, ['features.no_such_feature=true']);
    try {
      await closed.account.start();
      await signIn(closed);
      expect(closed.account.status()).toMatchObject({
        state: 'closed',
        closedBecause: 'the Codex CLI warns about its configuration',
        configWarnings: [expect.stringContaining('no_such_feature')],
      });
      expect(await closed.complete(says('x'))).toMatchObject({ failure: { class: 'lane_unavailable' } });
      expect(closed.backend.attempts()).toEqual([]);
    } finally {
      await closed.close();
    }
  });

  it('reads its windows anew', async () => {
    await under.account.start();
    await signIn(under);
    under.backend.script('main', { usedPercent: 77, windows: 'weekly-only' });
    expect((await under.account.readWindows()).windows).toMatchObject([{ kind: 'week', usedPercent: 77 }]);
  });
});
