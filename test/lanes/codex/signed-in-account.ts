import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../core/clock.ts';
import type { LaneCall, LaneOutcome } from '../../../core/lane-port.ts';
import { createLogger } from '../../../core/log.ts';
import type { ChatChunk, ChatCompletion } from '../../../core/wire/chat-answer.ts';
import { createCodexAccount, type AccountStatus, type CodexAccount } from '../../../lanes/codex/codex-account.ts';
import type { PlanWindows } from '../../../lanes/codex/plan-windows.ts';
import { startChatgptBackend, type ChatgptBackend } from '../../standins/chatgpt/backend.ts';

/** A real Codex CLI that is signed in to a stand-in backend. */
export interface SignedInAccount {
  readonly account: CodexAccount;
  readonly backend: ChatgptBackend;
  readonly homeDir: string;
  /** What the account has said of itself. */
  readonly heard: { readonly windows: PlanWindows[]; readonly auth: string[]; lostLogins: number };
  /** Serves one request; what is not given has a plain value. */
  complete(body: object, call?: Partial<LaneCall>): Promise<LaneOutcome>;
  close(): Promise<void>;
}

/** @param extraConfig further `-c` settings */
export async function startAccount(
  maxInFlight = 4,
  extraConfig: readonly string[] = [],
  accessToken?: string,
): Promise<SignedInAccount> {
  const backend = await startChatgptBackend();
  const folder = await mkdtemp(join(tmpdir(), 'flatlane-account-'));
  const homeDir = join(folder, 'home');
  const heard = { windows: [] as PlanWindows[], auth: [] as string[], lostLogins: 0 };
  const account = createCodexAccount({
    accountId: 'acc1',
    alias: 'main',
    homeDir,
    workDir: join(folder, 'work'),
    codexEnvironment: backend.codexEnvironment,
    codexConfig: [...backend.codexConfig, ...extraConfig],
    accessToken,
    log: createLogger('silent', 'test'),
    clock: systemClock,
    maxInFlight,
    onWindows: (windows) => heard.windows.push(windows),
    onAuth: (state) => heard.auth.push(state),
    onLoginLost: () => void (heard.lostLogins += 1),
  });
  return {
    account,
    backend,
    homeDir,
    heard,
    complete: (body, call = {}) =>
      account.lane.complete({
        requestId: 'req_test',
        body: { model: 'm', messages: [{ role: 'user', content: 'hello' }], ...body },
        model: 'gpt-5.5',
        stream: false,
        deadlineAt: Date.now() + 30_000,
        signal: new AbortController().signal,
        onChunk: () => Promise.reject(new Error('No chunk was asked for.')),
        ...call,
      }),
    async close() {
      await account.stop();
      await backend.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Signs the account in by device code, as its owner does. */
export async function signIn({ account, backend }: SignedInAccount): Promise<AccountStatus> {
  const completed = new Promise<AccountStatus>((resolve, reject) => {
    const unlisten = account.onLoginCompleted(({ success, status }) => {
      unlisten();
      if (success) resolve(status);
      else reject(new Error('The login failed.'));
    });
  });
  const { userCode } = await account.login.start();
  backend.approve(userCode, 'main');
  return completed;
}

/** A user's message. */
export const says = (content: unknown): object => ({ messages: [{ role: 'user', content }] });

/** The answer of an outcome that must be one. */
export function answerOf(outcome: LaneOutcome): ChatCompletion {
  if (!outcome.ok) throw new Error(`no answer: ${JSON.stringify(outcome)}`);
  return JSON.parse(outcome.body) as ChatCompletion;
}

/** The text of an answer. */
export const textOf = (outcome: LaneOutcome): string | null => answerOf(outcome).choices[0]?.message.content ?? null;

/** Collects the chunks of a streamed answer. */
export function collector(): { chunks: ChatChunk[]; call: Pick<LaneCall, 'stream' | 'onChunk'> } {
  const chunks: ChatChunk[] = [];
  return {
    chunks,
    call: {
      stream: true,
      onChunk: async (json) => {
        chunks.push(JSON.parse(json) as ChatChunk);
      },
    },
  };
}
