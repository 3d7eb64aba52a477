import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { z } from 'zod';
import type { Logger } from '../../core/log.ts';
import { scrub } from '../../core/scrub.ts';
import { appServerArguments } from './bare-model.ts';
import { certificateEnvironment } from './certificates.ts';
import type { CodexBinary } from './codex-binary.ts';
import { createRpcClient, type RpcClient, type RpcNotification } from './rpc-client.ts';
import { UNREAD_NOTIFICATIONS } from './rpc-methods.ts';
import { createUpstreamLogReader, upstreamLogEnvironment, upstreamNotification } from './upstream-log.ts';

/** One running `codex app-server`. */
export interface CodexProcess {
  readonly rpc: RpcClient;
  readonly pid: number;
  /** What the CLI says about its own configuration; anything here means that the bare-model settings may not hold. */
  configWarnings(): readonly string[];
  /** Resolves when the process is gone, however that came. */
  readonly exited: Promise<void>;
  /**
   * Calls the listener once when the process is gone. Returns the function that takes it away again: a turn must not leave
   * anything behind on a process that lives for weeks.
   */
  onExit(listener: () => void): () => void;
  /** SIGTERM, then SIGKILL. Resolves when the process is gone. */
  stop(): Promise<void>;
}

export interface CodexProcessOptions {
  readonly binary: CodexBinary;
  /** CODEX_HOME, and HOME as well, so that nothing of the host's user is read. Made with mode 0700. */
  readonly homeDir: string;
  /** The working folder. Emptied at each start. */
  readonly workDir: string;
  readonly settings: readonly string[];
  /** Everything that the process sees of the environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly log: Logger;
  readonly onNotification: (notification: RpcNotification) => void;
}

/** `initialize` answers within 100 ms on an idle machine. */
const INITIALIZE_TIMEOUT_MS = 20_000;

/** A healthy process is gone some milliseconds after SIGTERM. */
const TERM_GRACE_MS = 2_000;

/**
 * Warnings that say nothing about our settings. bubblewrap is the sandbox of commands that the CLI runs, and here it runs none.
 */
const HARMLESS_WARNINGS = [/bubblewrap/i, /create user namespaces/i];

const warningSchema = z.object({ summary: z.string(), details: z.string().nullish() });

/**
 * One thread runs the CLI's tasks, where it would take one for each processor. They wait on each other's locks more than they
 * help each other: 24 ms of processor time a completion with two threads, 21 to 22 with one, which still serves some 45 a second.
 */
const RUNTIME_ENVIRONMENT = { TOKIO_WORKER_THREADS: '1' } as const;

/**
 * Starts `codex app-server` and greets it. The process ends with its parent, also after `kill -9` of the parent: its
 * standard input closes then.
 * @throws Error if it does not start or does not answer.
 */
export async function startCodexProcess(options: CodexProcessOptions): Promise<CodexProcess> {
  await prepareFolders(options.homeDir, options.workDir);
  const child = spawn(options.binary.path, appServerArguments(options.settings), {
    cwd: options.workDir,
    env: {
      ...RUNTIME_ENVIRONMENT,
      ...options.environment,
      ...certificateEnvironment(options.environment, options.workDir),
      ...upstreamLogEnvironment(options.environment),
      HOME: options.homeDir,
      CODEX_HOME: options.homeDir,
      NO_COLOR: '1',
    },
    stdio: ['pipe', 'pipe', 'pipe'],
    // Ctrl-C goes to all processes of the terminal's group: turns that are under way are ours to finish.
    detached: true,
    windowsHide: true,
  });
  const exited = whenExited(child);
  const log = options.log.child({ codexPid: child.pid });
  const warnings: string[] = [];
  const rpc = connect(child, log, (notification) => {
    if (notification.method === 'configWarning') noteWarning(warnings, notification, log);
    options.onNotification(notification);
  });
  const readSign = createUpstreamLogReader();
  createInterface({ input: child.stderr }).on('line', (line) => {
    log.debug({ stderr: scrub(line) }, 'codex');
    const sign = readSign(line);
    if (sign !== undefined) rpc.tell(sign.threadId, upstreamNotification(sign));
  });
  const listeners = new Set<() => void>();
  void exited.then(() => {
    rpc.fail('the Codex process is gone');
    for (const listener of listeners) listener();
  });
  const onExit = (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
  const stop = (): Promise<void> => stopChild(child, exited);
  try {
    await greet(rpc);
  } catch (cause) {
    await stop();
    throw new Error('The Codex process did not start.', { cause });
  }
  return { rpc, pid: child.pid ?? 0, configWarnings: () => warnings, exited, onExit, stop };
}

/**
 * Files by which a home changes prompts and settings. Measured: an AGENTS.md in CODEX_HOME goes into every prompt, whatever
 * `project_doc_max_bytes` says. A lane's home is ours alone, so finding one means that it is not.
 */
const FOREIGN_FILES = ['AGENTS.md', 'AGENTS.override.md', 'config.toml'];

async function prepareFolders(homeDir: string, workDir: string): Promise<void> {
  await mkdir(homeDir, { recursive: true, mode: 0o700 });
  const foreign = FOREIGN_FILES.find((name) => existsSync(join(homeDir, name)));
  if (foreign !== undefined) {
    throw new Error(`The folder of the account has a ${foreign} in it. Give the account a folder of its own.`);
  }
  await chmod(homeDir, 0o700);
  await rm(workDir, { recursive: true, force: true });
  await mkdir(workDir, { recursive: true, mode: 0o700 });
}

function connect(
  child: ChildProcess & { readonly stdin: Writable; readonly stdout: Readable },
  log: Logger,
  onNotification: (notification: RpcNotification) => void,
): RpcClient {
  const onBroken = (reason: string): void => {
    log.error({ reason }, 'the Codex process is taken as broken');
    child.kill('SIGKILL');
  };
  return createRpcClient({ output: child.stdout, input: child.stdin, log, onNotification, onBroken });
}

async function greet(rpc: RpcClient): Promise<void> {
  await rpc.call(
    'initialize',
    {
      // Our true name: lanes never imitate another client.
      clientInfo: { name: 'flatlane', title: 'flatlane', version: '0.1.0' },
      capabilities: {
        experimentalApi: true,
        requestAttestation: false,
        optOutNotificationMethods: UNREAD_NOTIFICATIONS,
      },
    },
    INITIALIZE_TIMEOUT_MS,
  );
  rpc.initialized();
}

function noteWarning(warnings: string[], notification: RpcNotification, log: Logger): void {
  const warning = warningSchema.safeParse(notification.params);
  const text = warning.success ? [warning.data.summary, warning.data.details ?? ''].join(' ').trim() : 'unreadable';
  if (HARMLESS_WARNINGS.some((harmless) => harmless.test(text))) return;
  log.warn({ warning: scrub(text) }, 'the Codex CLI warns about its configuration');
  warnings.push(scrub(text));
}

function whenExited(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('error', () => resolve());
    child.once('exit', () => resolve());
  });
}

async function stopChild(child: ChildProcess, exited: Promise<void>): Promise<void> {
  if (child.pid === undefined) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), TERM_GRACE_MS);
  await exited;
  clearTimeout(timer);
}
