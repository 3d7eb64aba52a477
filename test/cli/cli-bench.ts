import type { CliIo } from '../../cli/cli-io.ts';
import { run } from '../../cli/run.ts';
import { ADMIN_KEY, startAdminFake, type AdminFake } from './admin-fake.ts';

export interface CliBench {
  readonly admin: AdminFake;
  /** Runs a command against the fake admin API; resolves with its exit code. */
  flatlane(...args: string[]): Promise<number>;
  /** What was written since the last command began. */
  readonly out: string[];
  readonly err: string[];
  /** What the next commands find in the world. */
  answerToQuestion: boolean | null;
  secretOnStandardInput: string;
  readonly environment: Map<string, string>;
  /** Called with each wait; the clock moves by it. */
  onSleep: (ms: number) => void;
  now: number;
  interrupt(): void;
  close(): Promise<void>;
}

/** A command line whose world is in the test's hands, before a fake admin API on a real socket. */
export async function startCliBench(): Promise<CliBench> {
  const admin = await startAdminFake();
  const interrupted = new AbortController();
  const bench: CliBench = {
    admin,
    out: [],
    err: [],
    answerToQuestion: null,
    secretOnStandardInput: '',
    environment: new Map(),
    onSleep: () => {},
    now: Date.UTC(2026, 10, 20, 12),
    interrupt: () => interrupted.abort(),
    close: () => admin.close(),
    flatlane: (...args) => {
      bench.out.length = 0;
      bench.err.length = 0;
      return run(['--admin-url', admin.url, '--admin-key', ADMIN_KEY, ...args], io);
    },
  };
  const io: CliIo = {
    out: (line) => void bench.out.push(...line.split('\n')),
    err: (line) => void bench.err.push(...line.split('\n')),
    live: null,
    confirm: async () => bench.answerToQuestion,
    readSecret: async () => bench.secretOnStandardInput,
    readEnvironment: (name) => bench.environment.get(name),
    interrupted: interrupted.signal,
    now: () => bench.now,
    sleep: async (ms) => {
      bench.now += ms;
      bench.onSleep(ms);
      interrupted.signal.throwIfAborted();
    },
  };
  return bench;
}
