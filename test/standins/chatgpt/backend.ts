import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { type Attempt, type Counts, createAttemptLog } from '../attempt-log.ts';
import { readBody, sendJson } from '../http-exchange.ts';
import { createLoopbackCertificate } from '../loopback-certificate.ts';
import { type Account, type AccountScript, createAccount } from './account.ts';
import { serveModelCall } from './model-call.ts';
import { answerPlanRoute } from './plan-routes.ts';
import type { ResponsesRequest } from './read-request.ts';
import { unauthorizedRefusal } from './refusals.ts';
import { createSignIn } from './sign-in.ts';
import { createSseWire } from './sse-wire.ts';
import { readAccessToken } from './tokens.ts';
import { serveWebSocket } from './websocket-wire.ts';

export interface ChatgptBackendOptions {
  /** Scripts by alias; default one account called `main`. */
  readonly accounts?: Readonly<Record<string, AccountScript>>;
  /** Approves sign-ins at once, for the accounts in turn. Default false. */
  readonly autoApprove?: boolean;
  /** Whether `attempts()` keeps what was asked; false for load runs. Default true. */
  readonly keepBodies?: boolean;
}

/** A stand-in for the ChatGPT backend, for the real Codex CLI: sign-in, plan windows and model calls. */
export interface ChatgptBackend {
  /** `https://localhost:<port>` */
  readonly url: string;
  /** The authority that the CLI must trust; the file goes away with `close`. */
  readonly caFile: string;
  /** What the CLI needs in its environment to call here instead of at OpenAI. */
  readonly codexEnvironment: Readonly<Record<string, string>>;
  /** The values of the `-c` flags that it needs beside. */
  readonly codexConfig: readonly string[];
  /** By alias. */
  readonly accounts: ReadonlyMap<string, Account>;
  /**
   * Approves a sign-in, as its owner does in the browser.
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
  /** From now on no code for a sign-in is given out and the answer has this status; undefined lets it work again. */
  failCodes(status: number | undefined): void;
  /** Codes of sign-ins that nobody has approved yet. */
  pendingCodes(): readonly string[];
  /** How often the tokens of an account were refreshed. */
  refreshes(alias: string): number;
  /** Tokens that were taken back by signing out. */
  revocations(): number;
  /**
   * Changes what an account does from the next call on.
   * @throws Error for an alias that is not known
   */
  script(alias: string, patch: AccountScript): void;
  /** Opens the plan window of an account again, and forgets the calls that it has served. */
  resetWindow(alias: string): void;
  attempts(): readonly Attempt[];
  counts(): Counts;
  /** Forgets the attempts and opens all windows; sign-ins and scripts stay. */
  reset(): void;
  close(): Promise<void>;
}

/** Starts the stand-in on a free port of the loopback. */
export async function startChatgptBackend(options: ChatgptBackendOptions = {}): Promise<ChatgptBackend> {
  const scripts = Object.entries(options.accounts ?? {});
  const accounts = new Map(
    (scripts.length === 0 ? [['main', {}] as const] : scripts).map(([alias, script]) => [
      alias,
      createAccount(alias, script),
    ]),
  );
  const log = createAttemptLog({ keepBodies: options.keepBodies ?? true });
  const signIn = createSignIn({ accounts, autoApprove: options.autoApprove ?? false });
  const certificate = await createLoopbackCertificate();

  const accountOf = (request: IncomingMessage): Account | undefined => {
    const token = readAccessToken(request.headers.authorization);
    return [...accounts.values()].find(({ id }) => id === token?.accountId);
  };
  const mayCall = (account: Account, request: IncomingMessage): boolean => {
    const { unauthorized } = account.script();
    if (unauthorized !== 'until-refresh') return unauthorized !== true;
    return (readAccessToken(request.headers.authorization)?.generation ?? -1) >= account.tokenGeneration();
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url?.split('?')[0] ?? '';
    if (await signIn.handle(request, response, path)) return;
    const account = accountOf(request);
    const authorized = account !== undefined && mayCall(account, request);
    if (account !== undefined && request.method === 'POST' && path === '/backend-api/codex/responses') {
      const body = JSON.parse((await readBody(request)).toString()) as ResponsesRequest;
      const wire = createSseWire(response);
      await serveModelCall({ account, authorized, request: body, input: body.input ?? [], wire, log });
      return;
    }
    if (!authorized) return sendJson(response, 401, { error: unauthorizedRefusal().error });
    if (!answerPlanRoute(account, response, path)) sendJson(response, 404, { detail: 'Not Found' });
  };

  const server = createServer({ key: certificate.key, cert: certificate.cert }, (request, response) => {
    handle(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else sendJson(response, 500, { detail: String(error) });
    });
  });
  const webSockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const account = accountOf(request);
    if (account === undefined || !mayCall(account, request)) return refuseUpgrade(socket, '401 Unauthorized');
    if (account.script().transport === 'sse') return refuseUpgrade(socket, '426 Upgrade Required');
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      serveWebSocket(webSocket, { account, authorized: () => mayCall(account, request), log });
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });

  const url = `https://localhost:${(server.address() as AddressInfo).port}`;
  const folder = await mkdtemp(join(tmpdir(), 'flatlane-standin-'));
  const caFile = join(folder, 'ca.pem');
  await writeFile(caFile, certificate.ca);
  const named = (alias: string): Account => {
    const account = accounts.get(alias);
    if (account === undefined) throw new Error(`No stand-in account is called ${alias}.`);
    return account;
  };

  return {
    url,
    caFile,
    codexEnvironment: {
      CODEX_APP_SERVER_LOGIN_ISSUER: url,
      CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${url}/oauth/token`,
      CODEX_REVOKE_TOKEN_URL_OVERRIDE: `${url}/oauth/revoke`,
      CODEX_AUTHAPI_BASE_URL: `${url}/authapi`,
      CODEX_CA_CERTIFICATE: caFile,
      SSL_CERT_FILE: caFile,
      // This authority and no other: the CLI would read a folder of the system's with every thread.
      SSL_CERT_DIR: folder,
    },
    codexConfig: [`chatgpt_base_url="${url}/backend-api"`, `openai_base_url="${url}/backend-api/codex"`],
    accounts,
    approve: (userCode, alias) => signIn.approve(userCode, alias),
    refuse: (userCode, how) => signIn.refuse(userCode, how),
    failTokens: (status) => signIn.failTokens(status),
    failCodes: (status) => signIn.failCodes(status),
    pendingCodes: () => signIn.pendingCodes(),
    refreshes: (alias) => signIn.refreshes(alias),
    revocations: () => signIn.revocations(),
    script: (alias, patch) => named(alias).patch(patch),
    resetWindow: (alias) => named(alias).resetWindow(),
    attempts: () => log.attempts(),
    counts: () => log.counts(),
    reset() {
      log.reset();
      for (const account of accounts.values()) account.resetWindow();
    },
    async close() {
      for (const webSocket of webSockets.clients) webSocket.terminate();
      webSockets.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function refuseUpgrade(socket: Duplex, status: string): void {
  socket.on('error', () => undefined);
  socket.end(`HTTP/1.1 ${status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
}
