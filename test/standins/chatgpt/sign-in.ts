import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { readBody, sendJson } from '../http-exchange.ts';
import type { Account } from './account.ts';
import { aliasOfRefreshToken, issueTokens, readAccessToken } from './tokens.ts';

interface PendingSignIn {
  readonly userCode: string;
  account: Account | undefined;
  /** How it was ended without an account. */
  ended: 'denied' | 'expired' | undefined;
}

export interface SignIn {
  /** Answers a request of the sign-in; false when it is for somebody else. */
  handle(request: IncomingMessage, response: ServerResponse, path: string): Promise<boolean>;
  /**
   * Does what the owner does in the browser.
   * @throws Error for a code or an alias that is not known
   */
  approve(userCode: string, alias: string): void;
  /**
   * Ends a sign-in without an account: its owner says no in the browser, or the code gets too old.
   * @throws Error for a code that is not known
   */
  refuse(userCode: string, how: 'denied' | 'expired'): void;
  /** From now on the token endpoint answers with this status; undefined lets it work again. */
  failTokens(status: number | undefined): void;
  /** From now on no code is given out and the answer has this status; undefined lets it work again. */
  failCodes(status: number | undefined): void;
  pendingCodes(): readonly string[];
  /** How often the tokens of an account were refreshed. */
  refreshes(alias: string): number;
  /** Tokens that were taken back by signing out. */
  revocations(): number;
}

interface SignInDependencies {
  /** In the order of their script. */
  readonly accounts: ReadonlyMap<string, Account>;
  /** Approves each sign-in at once, for the first account that has none yet. */
  readonly autoApprove: boolean;
}

/** Device-code sign-in and the token endpoint. Refresh tokens rotate, and a used one is refused, as in the real one. */
export function createSignIn({ accounts, autoApprove }: SignInDependencies): SignIn {
  const pending = new Map<string, PendingSignIn>();
  const codes = new Map<string, Account>();
  const usedRefreshTokens = new Set<string>();
  const refreshes = new Map<string, number>();
  let signIns = 0;
  let revocations = 0;
  let tokenFailure: number | undefined;
  let codeFailure: number | undefined;

  const begin = (response: ServerResponse): void => {
    if (codeFailure !== undefined) return sendJson(response, codeFailure, { error: { message: 'As scripted.' } });
    const id = `dev_${randomBytes(8).toString('hex')}`;
    const letters = randomBytes(4).toString('hex').toUpperCase();
    const userCode = `${letters.slice(0, 4)}-${letters.slice(4)}`;
    const account = autoApprove ? [...accounts.values()][signIns % accounts.size] : undefined;
    if (autoApprove) signIns += 1;
    pending.set(id, { userCode, account, ended: undefined });
    // The shortest interval that the CLI takes: a test should not wait for a poll.
    sendJson(response, 200, { device_auth_id: id, user_code: userCode, interval: '1' });
  };

  const poll = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { device_auth_id: id } = JSON.parse((await readBody(request)).toString()) as { device_auth_id: string };
    const { account, ended } = pending.get(id) ?? {};
    // Any status but 403 and 404 ends the CLI's waiting.
    if (ended !== undefined) return sendJson(response, 400, { error: { code: `deviceauth_${ended}` } });
    if (account === undefined) return sendJson(response, 403, { error: { code: 'deviceauth_authorization_pending' } });
    pending.delete(id);
    const code = `code_${randomBytes(8).toString('hex')}`;
    codes.set(code, account);
    sendJson(response, 200, { authorization_code: code, code_challenge: 'challenge', code_verifier: 'verifier' });
  };

  const exchange = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const fields = readFields((await readBody(request)).toString());
    if (tokenFailure !== undefined) return sendJson(response, tokenFailure, { error: { message: 'As scripted.' } });
    const refused = (code: string): void => sendJson(response, 401, { error: { message: code, code } });
    if (fields['grant_type'] !== 'refresh_token') {
      const account = codes.get(fields['code'] ?? '');
      codes.delete(fields['code'] ?? '');
      return account === undefined ? refused('invalid_grant') : sendJson(response, 200, issueTokens(account));
    }
    const token = fields['refresh_token'] ?? '';
    const account = accounts.get(aliasOfRefreshToken(token) ?? '');
    if (account === undefined) return refused('refresh_token_invalidated');
    if (account.script().refreshFails === true || usedRefreshTokens.has(token)) return refused('refresh_token_reused');
    usedRefreshTokens.add(token);
    refreshes.set(account.alias, (refreshes.get(account.alias) ?? 0) + 1);
    sendJson(response, 200, issueTokens(account));
  };

  const revoke = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { token } = readFields((await readBody(request)).toString());
    usedRefreshTokens.add(token ?? '');
    revocations += 1;
    sendJson(response, 200, {});
  };

  /** Whose personal access token it is. */
  const whoAmI = (request: IncomingMessage, response: ServerResponse): void => {
    const owner = readAccessToken(request.headers.authorization)?.accountId;
    const account = [...accounts.values()].find(({ id }) => id === owner);
    if (account === undefined) return sendJson(response, 401, { error: { code: 'token_invalid' } });
    sendJson(response, 200, {
      email: account.email,
      chatgpt_user_id: `user-${account.alias}`,
      chatgpt_account_id: account.id,
      chatgpt_plan_type: account.plan().planType,
      chatgpt_account_is_fedramp: false,
    });
  };

  const waiting = (userCode: string): PendingSignIn => {
    const signIn = [...pending.values()].find((candidate) => candidate.userCode === userCode);
    if (signIn === undefined) throw new Error(`No sign-in waits for the code ${userCode}.`);
    return signIn;
  };

  return {
    async handle(request, response, path) {
      if (path === '/api/accounts/deviceauth/usercode') begin(response);
      else if (path === '/api/accounts/deviceauth/token') await poll(request, response);
      else if (path === '/oauth/token') await exchange(request, response);
      else if (path === '/oauth/revoke') await revoke(request, response);
      else if (path === '/authapi/v1/user-auth-credential/whoami') whoAmI(request, response);
      else return false;
      return true;
    },
    approve(userCode, alias) {
      const account = accounts.get(alias);
      if (account === undefined) throw new Error(`No stand-in account is called ${alias}.`);
      waiting(userCode).account = account;
    },
    refuse(userCode, how) {
      waiting(userCode).ended = how;
    },
    failTokens(status) {
      tokenFailure = status;
    },
    failCodes(status) {
      codeFailure = status;
    },
    revocations: () => revocations,
    refreshes: (alias) => refreshes.get(alias) ?? 0,
    pendingCodes: () =>
      [...pending.values()]
        .filter(({ account, ended }) => account === undefined && ended === undefined)
        .map((one) => one.userCode),
  };
}

/** The CLI sends a form when it signs in and JSON when it refreshes. */
function readFields(body: string): Record<string, string | undefined> {
  if (body.startsWith('{')) return JSON.parse(body) as Record<string, string>;
  return Object.fromEntries(new URLSearchParams(body));
}
