import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

export interface RpcMessage {
  readonly id?: number;
  readonly method?: string;
  // The protocol's shapes belong to the CLI; a test looks at the few fields that it is about.
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly code: number; readonly message: string };
}

/** The real `codex app-server`, driven by hand: just enough to prove the stand-in backend against it. */
export interface CodexDriver {
  readonly messages: readonly RpcMessage[];
  /** @throws Error with the server's own error */
  call(method: string, params: object): Promise<Record<string, unknown>>;
  /** The next message from now on, or one that came since `after` messages had come. */
  until(matches: (message: RpcMessage) => boolean, after?: number): Promise<RpcMessage>;
  /** Answers a request of the server. */
  reply(id: number | undefined, result: object): void;
  close(): Promise<void>;
}

interface CodexDriverOptions {
  readonly environment: Readonly<Record<string, string>>;
  readonly config: readonly string[];
}

/** Starts the CLI with a folder of its own, which goes away with `close`. */
export async function startCodex({ environment, config }: CodexDriverOptions): Promise<CodexDriver> {
  const home = await mkdtemp(join(tmpdir(), 'flatlane-codex-'));
  const script = join(dirname(createRequire(import.meta.url).resolve('@openai/codex/package.json')), 'bin/codex.js');
  const child: ChildProcess = spawn(
    process.execPath,
    [script, 'app-server', ...config.flatMap((value) => ['-c', value])],
    {
      env: { PATH: process.env['PATH'] ?? '', HOME: home, CODEX_HOME: home, RUST_LOG: 'error', ...environment },
      stdio: ['pipe', 'pipe', 'ignore'],
    },
  );
  const messages: RpcMessage[] = [];
  const waiting = new Set<() => void>();
  if (child.stdout === null || child.stdin === null) throw new Error('The CLI has no pipes.');
  const { stdin } = child;
  // A CLI that ends takes no more input: calls that it has not read stay unanswered.
  stdin.on('error', () => undefined);
  createInterface({ input: child.stdout }).on('line', (line) => {
    messages.push(JSON.parse(line) as RpcMessage);
    for (const look of waiting) look();
  });
  const until = (matches: (message: RpcMessage) => boolean, after = messages.length): Promise<RpcMessage> =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = messages.slice(after).find(matches);
        if (found === undefined) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });
  let lastId = 0;
  const call = async (method: string, params: object): Promise<Record<string, unknown>> => {
    const id = (lastId += 1);
    const answer = until((message) => message.id === id && message.method === undefined);
    stdin.write(`${JSON.stringify({ id, method, params })}\n`);
    const { result, error } = await answer;
    if (result === undefined) throw new Error(`${method}: ${error?.message}`);
    return result;
  };
  await call('initialize', {
    clientInfo: { name: 'flatlane', title: 'flatlane', version: '0' },
    capabilities: { experimentalApi: true },
  });
  stdin.write(`${JSON.stringify({ method: 'initialized' })}\n`);
  return {
    messages,
    call,
    until,
    reply: (id, result) => void stdin.write(`${JSON.stringify({ id, result })}\n`),
    async close() {
      const exited = once(child, 'exit');
      stdin.end();
      child.kill();
      await exited;
      await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}

/** Signs the CLI in by device code and waits until it says so. */
export async function signIn(codex: CodexDriver, approve: (userCode: string) => void): Promise<RpcMessage> {
  const after = codex.messages.length;
  const { userCode } = await codex.call('account/login/start', { type: 'chatgptDeviceCode' });
  approve(userCode as string);
  return codex.until((message) => message.method === 'account/login/completed', after);
}

export interface Turn {
  readonly text: string;
  readonly deltas: readonly string[];
  readonly status: string;
  readonly errorInfo: unknown;
}

/** One turn on a fresh thread; interrupts it on the first retry, so that no failure is hidden. */
export async function runTurn(codex: CodexDriver, text: string, extra: object = {}): Promise<Turn> {
  const after = codex.messages.length;
  const { thread } = await codex.call('thread/start', {
    ephemeral: true,
    environments: [],
    approvalPolicy: 'never',
    sandbox: 'read-only',
    baseInstructions: 'Be brief.',
    model: 'gpt-5.5',
    ...extra,
  });
  const threadId = (thread as { id: string }).id;
  const { turn } = await codex.call('turn/start', { threadId, input: [{ type: 'text', text, text_elements: [] }] });
  const turnId = (turn as { id: string }).id;
  const mine = (message: RpcMessage): boolean => message.params?.['threadId'] === threadId;
  const done = codex.until((message) => mine(message) && message.method === 'turn/completed', after);
  const retry = codex.until((message) => mine(message) && message.params?.['willRetry'] === true, after);
  const first = await Promise.race([done, retry]);
  if (first.method !== 'turn/completed') await codex.call('turn/interrupt', { threadId, turnId });
  const ended = (await done).params?.['turn'] as { status: string; error: { codexErrorInfo: unknown } | null };
  const failed = first.method === 'error' ? (first.params?.['error'] as { codexErrorInfo: unknown }) : ended.error;
  const deltas = codex.messages
    .slice(after)
    .filter((message) => mine(message) && message.method === 'item/agentMessage/delta')
    .map((message) => message.params?.['delta'] as string);
  return { text: deltas.join(''), deltas, status: ended.status, errorInfo: failed?.codexErrorInfo ?? null };
}
