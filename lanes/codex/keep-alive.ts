import type { Logger } from '../../core/log.ts';
import type { CodexProcess } from './codex-process.ts';

/** Keeps one Codex process running: notices its end at once and starts the next one. */
export interface KeptProcess {
  /**
   * Starts the process. One that runs, or is just coming up, is not joined by another: `onUp` looks at it anew.
   * @throws Error if it does not start, or can not be looked at, which ends it; after `stop` always
   */
  start(): Promise<CodexProcess>;
  /** The running process, or the next one if it comes within `waitMs`; undefined when it does not. */
  get(waitMs: number): Promise<CodexProcess | undefined>;
  current(): CodexProcess | undefined;
  /** Ends the process and starts no other. */
  stop(): Promise<void>;
}

/** A process that dies once is back almost at once; one that dies at each start must not burn the machine. */
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 30_000;

const BEING_STOPPED = 'The Codex process is being stopped.';

/** A process that lived this long was healthy: the next delay is the first again. */
const HEALTHY_AFTER_MS = 60_000;

export function createKeptProcess(deps: {
  readonly startProcess: () => Promise<CodexProcess>;
  /** Called for each process that is up, before anybody may use it. */
  readonly onUp: (process: CodexProcess) => Promise<void>;
  readonly log: Logger;
}): KeptProcess {
  const { startProcess, onUp, log } = deps;
  let current: CodexProcess | undefined;
  let comingUp: CodexProcess | undefined;
  let stopped = false;
  let delayMs = FIRST_DELAY_MS;
  let timer: NodeJS.Timeout | undefined;
  let starting: Promise<CodexProcess> | undefined;
  const waiting = new Set<(process: CodexProcess | undefined) => void>();

  const release = (process: CodexProcess | undefined): void => {
    for (const resolve of waiting) resolve(process);
    waiting.clear();
  };

  const assertWanted = (): void => {
    if (stopped) throw new Error(BEING_STOPPED);
  };

  const lookAt = async (process: CodexProcess): Promise<void> => {
    try {
      assertWanted();
      await onUp(process);
      assertWanted();
    } catch (cause) {
      await process.stop();
      throw cause;
    }
  };

  const launch = async (): Promise<CodexProcess> => {
    const process = await startProcess();
    const startedAt = performance.now();
    comingUp = process;
    try {
      await lookAt(process);
    } finally {
      comingUp = undefined;
    }
    current = process;
    release(process);
    void process.exited.then(() => {
      current = undefined;
      if (stopped) return;
      if (performance.now() - startedAt > HEALTHY_AFTER_MS) delayMs = FIRST_DELAY_MS;
      log.warn({ codexPid: process.pid, againInMs: delayMs }, 'the Codex process is gone; starting it again');
      again();
    });
    return process;
  };

  /** One at a time: all processes of a home have the same refresh token, and it can be used once. */
  const launchOnce = (): Promise<CodexProcess> => {
    starting ??= launch().finally(() => {
      starting = undefined;
    });
    return starting;
  };

  const again = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      // A start that was asked for meanwhile was faster.
      if (current !== undefined) return;
      delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS);
      launchOnce().catch((cause: unknown) => {
        if (stopped) return;
        log.error({ err: cause, againInMs: delayMs }, 'the Codex process does not start');
        again();
      });
    }, delayMs);
  };

  return {
    async start() {
      assertWanted();
      if (current === undefined) return launchOnce();
      const running = current;
      await lookAt(running);
      return running;
    },
    current: () => current,
    get(waitMs) {
      if (current !== undefined || stopped || waitMs <= 0) return Promise.resolve(current);
      return new Promise((resolve) => {
        const give = (process: CodexProcess | undefined): void => {
          clearTimeout(limit);
          waiting.delete(give);
          resolve(process);
        };
        const limit = setTimeout(() => give(undefined), waitMs);
        waiting.add(give);
      });
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      release(undefined);
      // Not only when it is up: whoever has it stopped may not let it live that long.
      await comingUp?.stop();
      await starting?.catch(() => undefined);
      await current?.stop();
    },
  };
}
