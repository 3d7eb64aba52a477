import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { buildEnvironment } from '../core/config.ts';
import type { Logger } from '../core/log.ts';
import { lockFolder, stateFolder } from './folder-lock.ts';
import { startLeashed, type LeashedProcess } from './leashed-process.ts';
import { endLeftover, pidFileOf, rememberProcess } from './leftover.ts';
import { choosePorts, type PortWish } from './ports.ts';
import { createSupervisor, type Supervisor } from './supervisor.ts';

/** A server that the product runs on. */
export interface RunningPart {
  /** Which way it was found, for the reader: "`temporal` on PATH". */
  readonly how: string;
  /** `host:port` of Temporal; for MongoDB its URI, which may hold a password: not for the log. */
  readonly address: string;
  readonly uiUrl: string | null;
  /** The server's process id as of now: another one after a restart, null between two lives and for a server of yours. */
  readonly pid: number | null;
  stop(): Promise<void>;
}

interface EmbeddedServer<PortKey extends string> {
  /** One word, for messages and file names. */
  readonly name: string;
  readonly how: string;
  readonly dataDir: string;
  /** Where it keeps its data. Part of its command line: by it a server of an earlier start is known. */
  readonly store: string;
  readonly ports: readonly (PortWish & { readonly key: PortKey })[];
  readonly command: (ports: Readonly<Record<PortKey, number>>) => {
    readonly file: string;
    readonly args: readonly string[];
    readonly watchesStdin?: boolean;
  };
  /** How long it may take to close its store after it was asked to. */
  readonly graceMs: number;
  readonly waitUntilReady: (
    ports: Readonly<Record<PortKey, number>>,
    process: LeashedProcess,
    signal: AbortSignal,
  ) => Promise<void>;
  readonly exitReasons?: Readonly<Record<number, string>>;
  readonly describe: (ports: Readonly<Record<PortKey, number>>) => Pick<RunningPart, 'address' | 'uiUrl'>;
  /** Called when another process may have taken the store: the server has been stopped, and nothing may go on. */
  readonly onLost?: ((cause: Error) => void) | undefined;
  readonly log: Logger;
}

/**
 * Starts one embedded server on its store and keeps it running until `stop()`.
 * @throws Error when the data folder or a port is in use, or the server does not come up.
 */
export async function startEmbedded<PortKey extends string>(server: EmbeddedServer<PortKey>): Promise<RunningPart> {
  const state = stateFolder(server.dataDir);
  await mkdir(server.dataDir, { recursive: true, mode: 0o700 });
  let running: Supervisor | undefined;
  const release = await lockFolder(server.dataDir, server.name, server.log, (cause) => {
    void running?.stop();
    server.onLost?.(cause);
  });
  try {
    const pidFile = pidFileOf(server.dataDir, server.name);
    await endLeftover(pidFile, server.store, server.graceMs);
    const { ports, supervisor } = await startOnFreePorts(server, pidFile, join(state, `${server.name}.ports.json`));
    running = supervisor;
    return {
      how: server.how,
      ...server.describe(ports),
      get pid() {
        return supervisor.pid;
      },
      stop: async () => {
        await supervisor.stop();
        await release().catch(() => undefined);
      },
    };
  } catch (cause) {
    await release().catch(() => undefined);
    throw cause;
  }
}

/** Starts at which a port may have been taken in the moment between its choice and its use. */
const STARTS = 3;

/** Chooses the ports and starts the server on them; anew when somebody else was quicker to take one that was free. */
async function startOnFreePorts<PortKey extends string>(
  server: EmbeddedServer<PortKey>,
  pidFile: string,
  portsFile: string,
): Promise<{ ports: Record<PortKey, number>; supervisor: Supervisor }> {
  for (let start = 1; ; start += 1) {
    const ports = await choosePorts(portsFile, server.ports);
    const supervisor = createSupervisor({
      name: server.name,
      log: server.log,
      launch: () => {
        const running = startLeashed({
          ...server.command(ports),
          env: buildEnvironment(),
          graceMs: server.graceMs,
        });
        running.onPid((pid) => {
          rememberProcess(pidFile, pid).catch((cause: unknown) =>
            server.log.warn({ err: cause, part: server.name }, 'the process id could not be written'),
          );
        });
        return running;
      },
      exitReasons: server.exitReasons,
      waitUntilReady: (running, signal) => server.waitUntilReady(ports, running, signal),
    });
    try {
      await supervisor.start();
      return { ports, supervisor };
    } catch (cause) {
      await supervisor.stop();
      if (start === STARTS || !(cause instanceof Error) || !/address already in use/i.test(cause.message)) throw cause;
      server.log.warn({ part: server.name }, 'a port was taken by another program meanwhile; other ports are tried');
    }
  }
}

/** A server that somebody else runs: there is nothing to stop. */
export function externalPart(how: string, address: string): RunningPart {
  return { how, address, uiUrl: null, pid: null, stop: () => Promise.resolve() };
}
