import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { baseChildEnvironment } from '../../core/config.ts';

/** A process of the built tree whose lines are read. It ends with us, unless we are killed without a word. */
export interface LineProcess {
  readonly pid: number;
  /** @throws Error with its output when it ends first */
  waitFor(pattern: RegExp): Promise<RegExpMatchArray>;
  stop(): Promise<void>;
}

export function startLineProcess(
  script: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): LineProcess {
  const path = join(import.meta.dirname, '..', '..', script);
  const child = spawn(process.execPath, [path, ...args], {
    env: { ...baseChildEnvironment(), ...environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  const listeners = new Set<() => void>();
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString('utf8');
    for (const listener of listeners) listener();
  });
  const ended = once(child, 'exit');
  const stopChild = (): void => void child.kill('SIGTERM');
  process.once('exit', stopChild);
  void ended.then(() => process.off('exit', stopChild));
  return {
    pid: child.pid ?? 0,
    waitFor(pattern) {
      return new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(output);
          if (match === null) return;
          listeners.delete(look);
          resolve(match);
        };
        listeners.add(look);
        look();
        void ended.then(() => reject(new Error(`${script} ended early:\n${output}`)));
      });
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await ended;
    },
  };
}
