import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { buildEnvironment } from '../core/config.ts';
import { describeEnd, startLeashed } from './leashed-process.ts';

/** Asking a program for its version; a JVM on a busy machine takes a second or two. */
const VERSION_LIMIT_MS = 15_000;

const STOP_GRACE_MS = 3_000;

interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly limitMs: number;
  readonly onLine?: (line: string) => void;
}

/** The environment of a program that is run or built. */
function toolEnvironment(): Record<string, string> {
  return {
    // Go and Maven keep what they fetch there; a service may be started without the variable.
    HOME: homedir(),
    ...buildEnvironment(),
    // A workspace in any folder above would rule out our modules.
    GOWORK: 'off',
  };
}

/**
 * Runs a program to its end; it dies with this process, and at the limit.
 * @throws Error with the end of its output.
 */
export async function runCommand({ file, args, cwd, limitMs, onLine }: Command): Promise<string> {
  const running = startLeashed({
    file,
    args,
    env: toolEnvironment(),
    graceMs: STOP_GRACE_MS,
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (onLine !== undefined) running.onLine(onLine);
  let overdue = false;
  const timer = setTimeout(() => {
    overdue = true;
    void running.stop();
  }, limitMs);
  const end = await running.ended;
  clearTimeout(timer);
  if (end.code === 0 && !overdue) return running.tail();
  const fate = overdue ? `was not over after ${limitMs / 1000} s` : describeEnd(end);
  throw new Error(`\`${file} ${args[0] ?? ''}\` ${fate}\n${running.tail()}`.trim());
}

/** The path of a program on PATH, or null. */
export async function findOnPath(name: string): Promise<string | null> {
  for (const folder of (buildEnvironment()['PATH'] ?? '').split(delimiter).filter((entry) => entry !== '')) {
    for (const file of process.platform === 'win32' ? [`${name}.exe`, `${name}.cmd`] : [name]) {
      const path = join(folder, file);
      const usable = await access(path, constants.X_OK).then(
        async () => (await stat(path)).isFile(),
        () => false,
      );
      if (usable) return path;
    }
  }
  return null;
}

/**
 * The version that a program says it has, as numbers.
 * @param pattern finds the version in its output; its first group is the version.
 * @throws Error when the program does not run or says nothing of the kind.
 */
export async function readVersion(path: string, args: readonly string[], pattern: RegExp): Promise<number[]> {
  const options = { env: toolEnvironment(), timeout: VERSION_LIMIT_MS, windowsHide: true };
  const { stdout, stderr } = await promisify(execFile)(path, args, options);
  const version = pattern.exec(`${stdout}\n${stderr}`)?.[1];
  if (version === undefined) throw new Error(`${path} does not say its version`);
  return version.split('.').map(Number);
}

/** True when the version is the least one or newer. */
export function isAtLeast(version: readonly number[], least: readonly number[]): boolean {
  for (const [index, wanted] of least.entries()) {
    const present = version[index] ?? 0;
    if (present !== wanted) return present > wanted;
  }
  return true;
}
