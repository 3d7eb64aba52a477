import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** The root of the repository. */
export const ROOT = join(import.meta.dirname, '..', '..');

/** A process of the built tree, as a user starts it. */
export interface SpawnedNode {
  readonly pid: number;
  /** All that it has written so far, both streams. */
  output(): string;
  /** Resolves with the match once it has written this. @throws Error with its output when it ends before, or after the limit */
  waitFor(pattern: RegExp, limitMs?: number): Promise<RegExpMatchArray>;
  /** SIGTERM, and the end. Resolves with the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL, and the end. */
  kill(): Promise<void>;
  readonly ended: Promise<number | null>;
}

/** Starts `node dist/<script>` with these variables and nothing else of this process's environment but what programs need. */
export function spawnNode(
  script: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): SpawnedNode {
  const inherited = ['PATH', 'HOME', 'XDG_CACHE_HOME', 'TMPDIR', 'LANG', 'JAVA_HOME'];
  const kept = Object.fromEntries(
    inherited.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
  const child: ChildProcess = spawn(process.execPath, [join(ROOT, 'dist', script), ...args], {
    cwd: ROOT,
    env: { ...kept, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (child.pid === undefined) throw new Error(`${script} could not be started`);
  let output = '';
  const listeners = new Set<() => void>();
  const take = (data: Buffer): void => {
    output += data.toString('utf8');
    for (const listener of listeners) listener();
  };
  child.stdout?.on('data', take);
  child.stderr?.on('data', take);
  const ended = once(child, 'exit').then(([code]) => code as number | null);

  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    pid: child.pid,
    output: () => output,
    ended,
    waitFor(pattern, limitMs = 90_000) {
      return new Promise((resolve, reject) => {
        const settle = (act: () => void): void => {
          clearTimeout(timer);
          listeners.delete(look);
          act();
        };
        const look = (): void => {
          const match = pattern.exec(output);
          if (match !== null) settle(() => resolve(match));
        };
        const fail = (why: string): void =>
          settle(() => reject(new Error(`${script} ${why}:\n${output.slice(-4_000)}`)));
        const timer = setTimeout(() => fail(`did not write ${pattern} in ${limitMs} ms`), limitMs);
        listeners.add(look);
        look();
        void ended.then((code) => fail(`ended with ${code} before it wrote ${pattern}`));
      });
    },
    async stop() {
      if (!isOver()) child.kill('SIGTERM');
      return ended;
    },
    async kill() {
      if (!isOver()) child.kill('SIGKILL');
      await ended;
    },
  };
}
