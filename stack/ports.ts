import { readFile, writeFile } from 'node:fs/promises';
import { randomInt } from 'node:crypto';
import { connect, createServer } from 'node:net';

/** Where the embedded servers listen. */
export const LOOPBACK = '127.0.0.1';
const PROBE_LIMIT_MS = 1_000;

/**
 * Free ports are taken from below every system's range for outgoing connections (Linux begins at 32,768): a port of that range
 * may be gone between the choice and the server's start, or while the server is down for a moment.
 */
const FIRST_PORT = 18_000;
const LAST_PORT = 32_000;

/** After so many that were taken, the system is asked for one. */
const TRIES = 50;

export interface PortWish {
  /** What the port is for, as it is called in messages: "Temporal's port". */
  readonly label: string;
  /** The name under which it is remembered. */
  readonly key: string;
  /** The port that was asked for; without it the one of the last start, or a free one. */
  readonly wanted: number | undefined;
}

/**
 * Settles the ports of a server and remembers them in a file, so that links stay the same over restarts. A remembered
 * port that somebody else has taken meanwhile is replaced; one that was asked for is not.
 * @throws Error that names the port that is in use.
 */
export async function choosePorts<Key extends string>(
  file: string,
  wishes: readonly (PortWish & { readonly key: Key })[],
): Promise<Record<Key, number>> {
  const remembered = await readRemembered(file);
  const chosen = {} as Record<Key, number>;
  for (const { label, key, wanted } of wishes) {
    const taken = new Set<number>(Object.values(chosen));
    if (wanted !== undefined && wanted !== 0) {
      if (taken.has(wanted) || !(await isPortFree(wanted))) {
        throw new Error(`${label} ${wanted} is in use; stop the program that has it, or choose another port.`);
      }
      chosen[key] = wanted;
      continue;
    }
    const last = remembered[key];
    const usable = last !== undefined && !taken.has(last) && (await isPortFree(last));
    chosen[key] = usable ? last : await findFreePort(taken);
  }
  await writeFile(file, JSON.stringify(chosen), { mode: 0o600 });
  return chosen;
}

/** True when something accepts connections there, within the limit. */
export function isListening(host: string, port: number, limitMs = PROBE_LIMIT_MS): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (answer: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => finish(false), limitMs);
    socket.once('connect', () => finish(true)).once('error', () => finish(false));
  });
}

/** Both ways round: some systems let one bind a loopback port that another serves on all addresses. */
async function isPortFree(port: number): Promise<boolean> {
  return (await listen(port)) !== null && !(await isListening(LOOPBACK, port));
}

async function findFreePort(taken: ReadonlySet<number>): Promise<number> {
  for (let tries = 0; ; tries += 1) {
    const wanted = tries < TRIES ? randomInt(FIRST_PORT, LAST_PORT) : 0;
    const port = await listen(wanted);
    if (port !== null && !taken.has(port)) return port;
  }
}

/** Binds a port for a moment; null when that is refused. */
function listen(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen({ host: LOOPBACK, port, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : null));
    });
  });
}

async function readRemembered(file: string): Promise<Record<string, number | undefined>> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Record<string, number | undefined>;
  } catch {
    return {};
  }
}
