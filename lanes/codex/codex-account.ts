import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { baseChildEnvironment } from '../../core/config.ts';
import type { Lane } from '../../core/lane-port.ts';
import type { Logger } from '../../core/log.ts';
import {
  readAccount,
  readModels,
  readWindows,
  signOut,
  type PlanModel,
  type SignedInAccount,
} from './account-reads.ts';
import { processSettings, writeBareCatalogue } from './bare-model.ts';
import { findCodexBinary, type CodexBinary } from './codex-binary.ts';
import { createCodexLane } from './codex-lane.ts';
import { startCodexProcess, type CodexProcess } from './codex-process.ts';
import { createDeviceLogin, type LoginEnd, type LoginOffer } from './device-login.ts';
import { createKeptProcess } from './keep-alive.ts';
import { mergePlanWindows, UNKNOWN_WINDOWS, type PlanWindows } from './plan-windows.ts';
import type { RpcClient, RpcNotification } from './rpc-client.ts';
import { createSignInCheck } from './sign-in-check.ts';

/** A process that was lost is back within half a second: a sign-in that is asked for in between waits for it. */
const LOGIN_PROCESS_WAIT_MS = 10_000;

/** Above this the CLI begins to refuse calls; lanes.md has the figure. */
const MOST_IN_FLIGHT = 16;

export interface AccountStatus {
  readonly state: 'ready' | 'needs_login' | 'closed';
  readonly email?: string;
  readonly planType?: string;
  /** Names of the models that the account offers. */
  readonly models: readonly string[];
  readonly windows: PlanWindows;
  readonly configWarnings: readonly string[];
  readonly closedBecause?: string;
}

export interface CodexAccountOptions {
  readonly accountId: string;
  readonly alias: string;
  /** CODEX_HOME of this account alone: 0700, with the sign-in in it. */
  readonly homeDir: string;
  /** Folder for what may be lost: the empty working folder and the model catalogue. */
  readonly workDir: string;
  /** Extra environment variables of the process, and extra `-c` settings: for proxies and tests. */
  readonly codexEnvironment: Readonly<Record<string, string>>;
  readonly codexConfig: readonly string[];
  /** A Codex access token to be signed in with; it is in the environment of the process and nowhere on disk. */
  readonly accessToken?: string | undefined;
  readonly log: Logger;
  readonly clock: Clock;
  /** Turns at a time, at most 16. */
  readonly maxInFlight: number;
  /** Called when the plan's windows have changed. */
  readonly onWindows: (windows: PlanWindows) => void;
  /** Called when the account comes in or out of its sign-in. */
  readonly onAuth: (state: 'ready' | 'needs_login') => void;
  /** Called when the process has died with a login open: its code can not be completed any more. */
  readonly onLoginLost: () => void;
}

/** A login that has ended, with the status that it led to. */
export interface LoginResult extends LoginEnd {
  readonly status: AccountStatus;
}

export interface CodexAccount {
  readonly lane: Lane;
  /**
   * Starts the process and looks at the sign-in; one that runs already is only looked at.
   * @throws Error if the CLI is missing, not the pinned one, or does not start; after `stop` always
   */
  start(): Promise<AccountStatus>;
  stop(): Promise<void>;
  status(): AccountStatus;
  readonly login: { start(): Promise<LoginOffer>; cancel(): Promise<void> };
  /** Calls the listener after each login that has ended, with the status it led to. Returns the function that ends it. */
  onLoginCompleted(listener: (result: LoginResult) => void): () => void;
  /** Reads the sign-in anew. @throws RpcError */
  readAccount(): Promise<SignedInAccount | null>;
  /** Reads the windows anew. @throws RpcError */
  readWindows(): Promise<PlanWindows>;
  /** Ends the sign-in of this home. @throws RpcError */
  signOut(): Promise<void>;
  listModels(): readonly PlanModel[];
  /** The process id of the running CLI; undefined while none is running. */
  pid(): number | undefined;
}

/** One ChatGPT account: its process, its sign-in, its windows and its lane. */
export function createCodexAccount(options: CodexAccountOptions): CodexAccount {
  const { homeDir, clock } = options;
  const log = options.log.child({ account: options.accountId, alias: options.alias });
  const emptyDir = join(options.workDir, 'empty');
  const environment = { ...baseChildEnvironment(), ...options.codexEnvironment };
  const loginListeners = new Set<(result: LoginResult) => void>();
  let signedIn: SignedInAccount | null = null;
  let windows = UNKNOWN_WINDOWS;
  let models: readonly PlanModel[] = [];
  let prepared: { binary: CodexBinary; settings: readonly string[] } | undefined;
  let stopped = true;
  let lastAuth: 'ready' | 'needs_login' | undefined;

  /** Found once: a process that is started again comes back 150 ms sooner. */
  const prepare = async (): Promise<{ binary: CodexBinary; settings: readonly string[] }> => {
    const binary = await findCodexBinary();
    const catalogue = await writeBareCatalogue({ binary, folder: options.workDir, environment });
    return { binary, settings: processSettings(catalogue, options.codexConfig) };
  };

  const launch = async (): Promise<CodexProcess> => {
    prepared ??= await prepare();
    // Not for `prepare`: signed in, the CLI would go to the network for its catalogue.
    const token = options.accessToken === undefined ? {} : { CODEX_ACCESS_TOKEN: options.accessToken };
    const started = await startCodexProcess({
      ...prepared,
      homeDir,
      workDir: emptyDir,
      environment: { ...environment, ...token },
      log,
      onNotification,
    });
    started.onExit(() => {
      if (login.lose() && !stopped) options.onLoginLost();
    });
    return started;
  };

  const setSignedIn = (account: SignedInAccount | null): void => {
    signedIn = account;
    const auth = account === null ? 'needs_login' : 'ready';
    if (auth === lastAuth) return;
    lastAuth = auth;
    options.onAuth(auth);
  };

  const setWindows = (next: PlanWindows): void => {
    if (JSON.stringify(next) === JSON.stringify(windows)) return;
    windows = next;
    options.onWindows(next);
  };

  const onUp = async ({ rpc }: CodexProcess): Promise<void> => {
    models = await readModels(rpc);
    await lookAtSignIn(rpc);
  };

  const lookAtSignIn = async (rpc: RpcClient): Promise<void> => {
    const account = await readAccount(rpc);
    setSignedIn(account);
    if (account === null) return;
    // The lane serves without them: they come with each answer as well.
    await readWindows(rpc).then(setWindows, (cause: unknown) => log.warn({ err: cause }, 'windows could not be read'));
  };

  const kept = createKeptProcess({ startProcess: launch, onUp, log });

  const running = (): RpcClient => {
    const process = kept.current();
    if (process === undefined) throw new Error('The Codex process of this account is not running.');
    return process.rpc;
  };

  const runningSoon = async (): Promise<RpcClient> => {
    await kept.get(LOGIN_PROCESS_WAIT_MS);
    return running();
  };

  const login = createDeviceLogin({ rpc: runningSoon, clock });

  const onNotification = (notification: RpcNotification): void => {
    if (notification.method === 'account/rateLimits/updated') {
      setWindows(mergePlanWindows(windows, notification.params));
      return;
    }
    const completed = login.read(notification);
    if (completed !== undefined) void afterLogin(completed);
  };

  const afterLogin = async (end: LoginEnd): Promise<void> => {
    try {
      if (end.success) {
        signInCheck.renewed();
        await lookAtSignIn(running());
      }
    } catch (cause) {
      log.warn({ err: cause }, 'the account could not be read after its login');
    }
    for (const listener of loginListeners) listener({ ...end, status: status() });
  };

  const signInCheck = createSignInCheck({
    refresh: async () => readAccount(running(), true),
    onFound: setSignedIn,
    log,
  });

  const configWarnings = (): readonly string[] => kept.current()?.configWarnings() ?? [];

  const closedBecause = (): string | undefined => {
    if (stopped) return 'the account is not started';
    if (configWarnings().length > 0) return 'the Codex CLI warns about its configuration';
    return signedIn === null ? 'the account is not signed in' : undefined;
  };

  const status = (): AccountStatus => {
    const warnings = configWarnings();
    const closed = stopped || warnings.length > 0;
    const reason = closedBecause();
    return {
      state: closed ? 'closed' : signedIn === null ? 'needs_login' : 'ready',
      ...(signedIn === null ? {} : { planType: signedIn.planType }),
      ...(signedIn === null || signedIn.email === null ? {} : { email: signedIn.email }),
      models: models.filter((model) => !model.hidden).map((model) => model.slug),
      windows,
      configWarnings: warnings,
      ...(closed && reason !== undefined ? { closedBecause: reason } : {}),
    };
  };

  const lane = createCodexLane({
    maxInFlight: Math.min(options.maxInFlight, MOST_IN_FLIGHT),
    workDir: emptyDir,
    clock,
    closedBecause,
    process: (waitMs) => kept.get(waitMs),
    models: () => models,
    windows: () => windows,
    signInCheck,
  });

  return {
    lane,
    async start() {
      await kept.start();
      stopped = false;
      return status();
    },
    async stop() {
      stopped = true;
      await kept.stop();
    },
    status,
    login: { start: () => login.start(), cancel: () => login.cancel() },
    onLoginCompleted(listener) {
      loginListeners.add(listener);
      return () => void loginListeners.delete(listener);
    },
    async readAccount() {
      const account = await readAccount(running());
      setSignedIn(account);
      return account;
    },
    async readWindows() {
      setWindows(await readWindows(running()));
      return windows;
    },
    async signOut() {
      await login.cancel();
      await signOut(running());
      windows = UNKNOWN_WINDOWS;
      setSignedIn(null);
    },
    listModels: () => models,
    pid: () => kept.current()?.pid,
  };
}
