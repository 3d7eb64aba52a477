import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { stackFile } from './package-files.ts';

/** Enough of the end of a program's output to see why it ended. */
const TAIL_LINES = 30;

/** How long past the grace a group may live before it is killed from here: the watchdog itself must be stuck. */
const OVERTIME_MS = 2_000;

/** How long the last output may take to arrive after the end. */
const DRAIN_LIMIT_MS = 500;

export interface LeashedCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** The whole environment of the program: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Milliseconds between the request to stop and the kill. */
  readonly graceMs: number;
  /** True for a program that ends by itself when its standard input ends; others get a watchdog. */
  readonly watchesStdin?: boolean;
}

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: string | null;
  /** Why the program could not be started at all. */
  readonly error: string | null;
}

export interface LeashedProcess {
  /** The program's own process id: null before it is started and after it has ended. */
  readonly pid: number | null;
  /** Resolves when the program has ended; never rejects. */
  readonly ended: Promise<ProcessEnd>;
  /** The last lines of its output, both streams. */
  tail(): string;
  onLine(listener: (line: string) => void): void;
  onPid(listener: (pid: number) => void): void;
  /** Asks it to end, kills it after the grace, and resolves when it is gone. */
  stop(): Promise<void>;
}

/**
 * Starts a program that dies with this process, also when this process is killed outright. It is in a process group of
 * its own: a Ctrl-C in the terminal does not reach it before the orderly shutdown does.
 */
export function startLeashed(command: LeashedCommand): LeashedProcess {
  const direct = command.watchesStdin === true;
  const watchdogArgs = [stackFile('leash.mjs'), String(command.graceMs), command.file, ...command.args];
  const child = spawn(direct ? command.file : process.execPath, direct ? command.args : watchdogArgs, {
    cwd: command.cwd,
    env: command.env,
    detached: true,
    windowsHide: true,
    stdio: ['pipe', 'pipe', 'pipe', direct ? 'ignore' : 'pipe'],
  });
  child.stdin?.on('error', () => undefined);

  const lines: string[] = [];
  const lineListeners: ((line: string) => void)[] = [];
  const pidListeners: ((pid: number) => void)[] = [];
  let pid: number | null = null;
  let reportedEnd: ProcessEnd | null = null;

  const onLine = (line: string): void => {
    lines.push(line);
    if (lines.length > TAIL_LINES) lines.shift();
    for (const listener of lineListeners) listener(line);
  };
  const setPid = (started: number): void => {
    pid = started;
    for (const listener of pidListeners) listener(started);
  };
  if (direct) {
    child.on('spawn', () => child.pid !== undefined && setPid(child.pid));
  } else {
    readLines(child.stdio[3] as Readable | null, (line) => {
      const report = JSON.parse(line) as { pid?: number; code?: number | null; signal?: string | null; error?: string };
      if (report.pid !== undefined) setPid(report.pid);
      else reportedEnd = { code: report.code ?? null, signal: report.signal ?? null, error: report.error ?? null };
    });
  }
  readLines(child.stdout, onLine);
  readLines(child.stderr, onLine);

  const ended = new Promise<ProcessEnd>((resolve) => {
    const finish = (end: ProcessEnd): void => {
      pid = null;
      // If it is the watchdog that died, its program is left in the group.
      killGroup(child);
      // What was written just before the end is still on its way through the pipes.
      const timer = setTimeout(() => resolve(reportedEnd ?? end), DRAIN_LIMIT_MS);
      child.once('close', () => {
        clearTimeout(timer);
        resolve(reportedEnd ?? end);
      });
    };
    child.on('error', (cause) => finish({ code: null, signal: null, error: cause.message }));
    child.on('exit', (code, signal) => finish({ code, signal, error: null }));
  });

  const stop = async (): Promise<void> => {
    child.stdin?.end();
    const limitMs = direct ? command.graceMs : command.graceMs + OVERTIME_MS;
    const timer = setTimeout(() => killGroup(child), limitMs);
    await ended;
    clearTimeout(timer);
  };

  return {
    get pid() {
      return pid;
    },
    ended,
    tail: () => lines.join('\n'),
    onLine: (listener) => void lineListeners.push(listener),
    onPid: (listener) => void pidListeners.push(listener),
    stop,
  };
}

/** One sentence on how a program ended. */
export function describeEnd(end: ProcessEnd): string {
  if (end.error !== null) return `could not be started: ${end.error}`;
  return end.signal === null ? `ended with code ${end.code}` : `was ended by ${end.signal}`;
}

function readLines(stream: Readable | null, onLine: (line: string) => void): void {
  if (stream !== null) createInterface({ input: stream }).on('line', onLine);
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The whole group is gone already.
  }
}
