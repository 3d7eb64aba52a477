import { resolveSrv } from 'node:dns/promises';
import type { LeashedProcess } from '../leashed-process.ts';
import { isListening } from '../ports.ts';

/** An answer from a server of yours, over a network. */
const REACH_LIMIT_MS = 10_000;

/** The stand-in is up in half a second; a mongod that recovers a large store may need long. */
const READY_LIMIT_MS = 120_000;

/** Asks a MongoDB for a sign of life; rejects when there is none. From the one who has the driver. */
export type PingMongodb = (uri: string) => Promise<void>;

/** @throws Error without the address's user and password when nothing answers there within 10 s. */
export async function checkMongodb(uri: string, ping: PingMongodb | undefined): Promise<void> {
  if (ping !== undefined) {
    await within(REACH_LIMIT_MS, ping(uri), `no answer within ${REACH_LIMIT_MS / 1000} s`);
    return;
  }
  const hosts = await hostsOf(uri);
  const answers = await Promise.all(hosts.map(({ host, port }) => isListening(host, port, REACH_LIMIT_MS)));
  if (!answers.includes(true)) {
    throw new Error(`nothing listens on ${hosts.map(({ host, port }) => `${host}:${port}`).join(', ')}`);
  }
}

/**
 * Waits until a server that was just started says in its output that it is ready.
 * @throws Error at the limit of 120 s, or on the signal.
 */
export async function waitForReadyLine(running: LeashedProcess, pattern: RegExp, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const ready = new Promise<void>((resolve, reject) => {
    running.onLine((line) => {
      if (pattern.test(line)) resolve();
    });
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
  await within(READY_LIMIT_MS, ready, `MongoDB was not ready within ${READY_LIMIT_MS / 1000} s`);
}

interface Host {
  readonly host: string;
  readonly port: number;
}

/** The hosts of a MongoDB address, looked up where it is a `mongodb+srv://` one. */
export async function hostsOf(uri: string): Promise<readonly Host[]> {
  const match = /^mongodb(?<srv>\+srv)?:\/\/(?:[^/@]*@)?(?<hosts>[^/?]+)/.exec(uri);
  const list = match?.groups?.['hosts'];
  if (list === undefined) throw new Error('MONGODB_URI does not begin with mongodb:// or mongodb+srv:// and a host');
  if (match?.groups?.['srv'] !== undefined) {
    const records = await resolveSrv(`_mongodb._tcp.${list}`);
    return records.map(({ name, port }) => ({ host: name, port }));
  }
  return list.split(',').map((entry) => {
    const parts = /^(?:\[(?<six>[^\]]+)\]|(?<host>[^:]+))(?::(?<port>\d+))?$/.exec(entry)?.groups;
    const host = parts?.['six'] ?? parts?.['host'];
    if (host === undefined) throw new Error('MONGODB_URI has a host that cannot be read');
    return { host: decodeURIComponent(host), port: Number(parts?.['port'] ?? 27_017) };
  });
}

async function within(limitMs: number, task: Promise<void>, message: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(message)), limitMs);
  });
  try {
    await Promise.race([task, limit]);
  } finally {
    clearTimeout(timer);
  }
}
