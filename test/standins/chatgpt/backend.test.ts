import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CodexDriver, runTurn, signIn, startCodex } from '../codex-driver.ts';
import { type ChatgptBackend, startChatgptBackend } from './backend.ts';

describe('the stand-in ChatGPT backend, under the real Codex CLI', () => {
  let backend: ChatgptBackend;
  let codex: CodexDriver;

  beforeAll(async () => {
    backend = await startChatgptBackend({ accounts: { first: {}, second: { planType: 'pro' } } });
    codex = await startCodex({ environment: backend.codexEnvironment, config: backend.codexConfig });
    const completed = await signIn(codex, (code) => {
      expect(backend.pendingCodes()).toEqual([code]);
      backend.approve(code, 'second');
    });
    expect(completed.params).toMatchObject({ success: true, error: null });
  });
  afterAll(async () => {
    await codex.close();
    await backend.close();
  });
  beforeEach(() => {
    backend.reset();
    for (const alias of backend.accounts.keys()) {
      backend.script(alias, {
        transport: undefined,
        exhaustAfter: undefined,
        failNext: [],
        unauthorized: undefined,
        models: undefined,
      });
    }
  });

  it('signs in the account that approved the code', async () => {
    const { account } = await codex.call('account/read', {});
    expect(account).toMatchObject({ email: 'second@example.com', planType: 'pro' });
  });

  it.each(['sse', 'websocket'] as const)('answers a turn over %s, in deltas, and logs it', async (transport) => {
    // In this order: the CLI remembers only for one thread that it was refused a WebSocket.
    backend.script('second', { transport });
    const turn = await runTurn(codex, 'hello id=line-1');
    expect(turn).toMatchObject({ text: 'echo: hello id=line-1', status: 'completed', errorInfo: null });
    expect(turn.deltas.length).toBeGreaterThan(1);
    expect(backend.attempts()).toMatchObject([
      { account: 'second', transport, model: 'gpt-5.5', marker: 'line-1', outcome: 'answered', status: 200 },
    ]);
  });

  it('calls a function that the thread has', async () => {
    const after = codex.messages.length;
    const call = codex.until((message) => message.method === 'item/tool/call', after);
    const inputSchema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
    const dynamicTools = [{ type: 'function', name: 'weather', description: 'The weather.', inputSchema }];
    const turn = runTurn(codex, '[[tool:weather:{"city":"Rome"}]]', { dynamicTools });
    const { id, params } = await call;
    expect(params).toMatchObject({ tool: 'weather', arguments: { city: 'Rome' } });
    codex.reply(id, { contentItems: [{ type: 'inputText', text: 'sunny' }], success: true });
    expect(await turn).toMatchObject({ text: 'tool: sunny', status: 'completed' });
  });

  it('ends the window after the scripted number of calls, and opens it again', async () => {
    backend.script('second', { exhaustAfter: 2, resetsInSeconds: 900 });
    expect(await runTurn(codex, 'one')).toMatchObject({ status: 'completed' });
    expect(backend.accounts.get('second')?.plan().primary.usedPercent).toBe(50);
    expect(await runTurn(codex, 'two')).toMatchObject({ status: 'completed' });

    const after = codex.messages.length;
    expect(await runTurn(codex, 'three')).toMatchObject({ status: 'failed', errorInfo: 'usageLimitExceeded' });
    const update = codex.messages.slice(after).find(({ method }) => method === 'account/rateLimits/updated');
    const resetsAt = backend.accounts.get('second')?.plan().primary.resetsAt;
    expect(update?.params).toMatchObject({ rateLimits: { primary: { usedPercent: 100, resetsAt } } });
    const closed = await codex.call('account/rateLimits/read', {});
    expect(closed).toMatchObject({ ordinaryUsageAllowed: false, rateLimits: { primary: { usedPercent: 100 } } });
    expect(backend.counts().byAccount['second']).toMatchObject({ answered: 2, limit: 1 });

    backend.resetWindow('second');
    expect(await codex.call('account/rateLimits/read', {})).toMatchObject({ ordinaryUsageAllowed: true });
    expect(await runTurn(codex, 'four')).toMatchObject({ status: 'completed' });
  });

  describe.each(['websocket', 'sse'] as const)('over %s', (transport) => {
    it.each([
      ['limit', 'usageLimitExceeded'],
      ['context', 'contextWindowExceeded'],
      ['policy', 'cyberPolicy'],
      ['status:429', { responseTooManyFailedAttempts: { httpStatusCode: 429 } }],
      ['status:503', 'serverOverloaded'],
      ['half', { responseStreamDisconnected: { httpStatusCode: null } }],
    ])('fails with %s as the CLI knows it', async (word, errorInfo) => {
      backend.script('second', { transport });
      expect((await runTurn(codex, `[[${word}]]`)).errorInfo).toEqual(errorInfo);
      // More than the CLI tries by itself within a turn.
      backend.script('second', { failNext: Array.from({ length: 10 }, () => word) });
      expect((await runTurn(codex, 'hello')).errorInfo).toEqual(errorInfo);
    });
  });

  it('has only the scripted models', async () => {
    backend.script('second', { models: ['gpt-other'] });
    expect(await runTurn(codex, 'hello')).toMatchObject({ status: 'failed', errorInfo: 'modelNotFound' });
  });

  it('takes tokens back until they are refreshed', async () => {
    const before = backend.refreshes('second');
    backend.script('second', { unauthorized: 'until-refresh' });
    expect(await runTurn(codex, 'hello')).toMatchObject({ status: 'completed', text: 'echo: hello' });
    expect(backend.refreshes('second')).toBe(before + 1);
  });

  it('notices that a turn was interrupted', async () => {
    const after = codex.messages.length;
    const hanging = runTurn(codex, '[[hang]]');
    const { params } = await codex.until(({ method }) => method === 'turn/started', after);
    await expect.poll(() => backend.counts().byOutcome.open).toBe(1);
    const { threadId, turn } = params as { threadId: string; turn: { id: string } };
    await codex.call('turn/interrupt', { threadId, turnId: turn.id });
    expect(await hanging).toMatchObject({ status: 'interrupted' });
    await expect.poll(() => backend.counts().byOutcome).toEqual({ open: 0, aborted: 1 });
  });

  // Last, for the CLI gives an account up whose refresh token is refused.
  it('answers 401 to an account that is signed out', async () => {
    backend.script('second', { unauthorized: true, refreshFails: true });
    const turn = await runTurn(codex, 'hello');
    expect(turn).toMatchObject({ text: '', errorInfo: 'unauthorized' });
    expect(backend.counts().byOutcome.answered).toBeUndefined();
  });
});

describe('the sign-in of the stand-in ChatGPT backend', () => {
  it('approves the accounts in turn where it is asked to', async () => {
    const backend = await startChatgptBackend({ accounts: { first: {}, second: {} }, autoApprove: true });
    const emails: unknown[] = [];
    for (let count = 0; count < 2; count += 1) {
      const codex = await startCodex({ environment: backend.codexEnvironment, config: backend.codexConfig });
      await signIn(codex, () => expect(backend.pendingCodes()).toEqual([]));
      const { account } = await codex.call('account/read', {});
      emails.push((account as { email: string }).email);
      await codex.close();
    }
    await backend.close();
    expect(emails).toEqual(['first@example.com', 'second@example.com']);
  });

  it('ends sign-ins without an account, and leaves one from before alone', async () => {
    const backend = await startChatgptBackend();
    const codex = await startCodex({ environment: backend.codexEnvironment, config: backend.codexConfig });
    const attempt = async (end: (userCode: string) => void): Promise<unknown> =>
      (await signIn(codex, end)).params?.['success'];
    expect(await attempt((code) => backend.approve(code, 'main'))).toBe(true);
    expect(await attempt((code) => backend.refuse(code, 'denied'))).toBe(false);
    expect(await attempt((code) => backend.refuse(code, 'expired'))).toBe(false);
    expect(backend.pendingCodes()).toEqual([]);
    backend.failTokens(503);
    expect(await attempt((code) => backend.approve(code, 'main'))).toBe(false);
    backend.failTokens(undefined);
    const { account } = await codex.call('account/read', {});
    expect(account).toMatchObject({ email: 'main@example.com' });
    await codex.close();
    await backend.close();
  });

  it('refuses codes and aliases that it does not know', async () => {
    const backend = await startChatgptBackend();
    expect(() => backend.approve('ABCD-1234', 'main')).toThrow('No sign-in waits for the code ABCD-1234.');
    expect(() => backend.refuse('ABCD-1234', 'denied')).toThrow('No sign-in waits for the code ABCD-1234.');
    expect(() => backend.approve('ABCD-1234', 'other')).toThrow('No stand-in account is called other.');
    await backend.close();
  });
});
