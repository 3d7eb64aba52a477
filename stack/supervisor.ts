import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../core/log.ts';
import { describeEnd, type LeashedProcess, type ProcessEnd } from './leashed-process.ts';

/** Wait before a restart: short at first, because one crash is likely an accident; then longer, so as not to spin. */
const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 10_000;

/** A server that was up for so long starts again at the short wait. */
const STEADY_AFTER_MS = 60_000;

interface SupervisorDeps {
  /** The server's name in messages. */
  readonly name: string;
  readonly launch: () => LeashedProcess;
  /** Resolves when the server answers; rejects at its own time limit or when the signal says that it is pointless. */
  readonly waitUntilReady: (process: LeashedProcess, signal: AbortSignal) => Promise<void>;
  /** What an exit code of the server means, as in "its disk is full". */
  readonly exitReasons?: Readonly<Record<number, string>> | undefined;
  readonly log: Logger;
}

export interface Supervisor {
  /** Resolves when the server answers for the first time. @throws Error with the end of its output. */
  start(): Promise<void>;
  /** The process id of the server that runs now, null between two lives. */
  readonly pid: number | null;
  /** Stops the server for good. Safe to call at any time and more than once. */
  stop(): Promise<void>;
}

/**
 * Keeps one server running: `stopped → starting → up → (ended by itself) → waiting → starting …`, any → `stopped` by
 * `stop()`. A server that fails its first start is not tried again: that is the caller's to report.
 */
export function createSupervisor({ name, launch, waitUntilReady, exitReasons, log }: SupervisorDeps): Supervisor {
  const stopping = new AbortController();
  let current: LeashedProcess | null = null;
  let watching: Promise<void> = Promise.resolve();

  const describe = (end: ProcessEnd): string => {
    const reason = end.code === null ? undefined : exitReasons?.[end.code];
    return `${name} ${describeEnd(end)}${reason === undefined ? '' : `: ${reason}`}`;
  };

  const launchUntilReady = async (): Promise<LeashedProcess> => {
    const process = launch();
    current = process;
    const launched = new Promise<void>((resolve) => process.onPid(() => resolve()));
    process.onLine((line) => log.debug({ part: name }, line));
    const gone = new AbortController();
    let endError: Error | null = null;
    const ended = process.ended.then((end) => {
      endError = new Error(`${describe(end)}. The end of its output:\n${process.tail()}`);
      gone.abort();
      throw endError;
    });
    try {
      const ready = waitUntilReady(process, AbortSignal.any([gone.signal, stopping.signal]));
      await Promise.race([Promise.all([ready, launched]), ended]);
      // Another server on the same port may have answered for one that has just ended.
      if (process.pid === null) await ended;
      return process;
    } catch (cause) {
      const reason: unknown = endError ?? cause;
      await process.stop();
      throw reason;
    } finally {
      ended.catch(() => undefined);
    }
  };

  /** Waits for the end of a life and begins the next, until there is to be none. */
  const watch = async (first: LeashedProcess): Promise<void> => {
    let backoffMs = FIRST_BACKOFF_MS;
    let running: LeashedProcess | null = first;
    let upSince = Date.now();
    while (!stopping.signal.aborted) {
      if (running !== null) {
        const end = await running.ended;
        if (stopping.signal.aborted) return;
        log.warn({ part: name, tail: running.tail() }, `${describe(end)}; it is started again`);
        if (Date.now() - upSince > STEADY_AFTER_MS) backoffMs = FIRST_BACKOFF_MS;
      }
      await sleep(backoffMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return;
      backoffMs = Math.min(backoffMs * 2, LONGEST_BACKOFF_MS);
      try {
        running = await launchUntilReady();
        upSince = Date.now();
        log.info({ part: name, pid: running.pid }, `${name} is up again`);
      } catch (cause) {
        running = null;
        if (!stopping.signal.aborted) log.error({ part: name, err: cause }, `${name} did not come up; trying again`);
      }
    }
  };

  return {
    start: async () => {
      const process = await launchUntilReady();
      watching = watch(process);
    },
    get pid() {
      return current?.pid ?? null;
    },
    stop: async () => {
      stopping.abort();
      await current?.stop();
      await watching;
    },
  };
}
