import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Logger } from '../../core/log.ts';
import type { OnProgress } from '../progress.ts';
import { resolveChain } from '../resolve-chain.ts';
import { externalPart, startEmbedded, type RunningPart } from '../running-part.ts';
import { createToolCache, startWithTools, toolCacheFolder, type ToolCache } from '../tool-cache.ts';
import { STAND_IN_DISK_FULL, STAND_IN_MAIN } from './build-stand-in.ts';
import { checkMongodb, waitForReadyLine, type PingMongodb } from './health.ts';
import { findStoredEngine, MONGODB_ADVICE, mongodbWays, type MongodbTool } from './ways.ts';

/** A mongod writes its cache out at the end; what it has acknowledged is in its journal already. */
const GRACE_MS = 15_000;

/** Beside the store. An older mongod cannot open what a newer one has had. */
const VERSION_FILE = 'mongod.version';

/** Up in half a second with 220 MB; a compiler of one tier and a simple collector suit a small server best. */
const JVM_FLAGS = ['-Xmx192m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:+ExitOnOutOfMemoryError'];

export interface MongodbOptions {
  readonly dataDir: string;
  /** The `mongodb://` address of a server of yours; without it one is run. */
  readonly uri?: string | undefined;
  /** By default that of the last start on the data folder, else a free one. */
  readonly port?: number | undefined;
  /** A health check with the driver; without it the server's own word and its open port count. */
  readonly ping?: PingMongodb | undefined;
  /** Called when the lock of the data folder was lost: the server has been stopped. */
  readonly onLost?: ((cause: Error) => void) | undefined;
  readonly log: Logger;
  readonly onProgress: OnProgress;
}

/**
 * Finds and starts a MongoDB on the data folder, or takes yours.
 * @throws Error that lists the ways that were tried; or when the port or the data folder is in use.
 */
export function startMongodb(options: MongodbOptions): Promise<RunningPart> {
  const cache = createToolCache(toolCacheFolder(), options.onProgress);
  return startWithTools(cache, () => findAndStart(options, cache));
}

async function findAndStart(options: MongodbOptions, cache: ToolCache): Promise<RunningPart> {
  const { uri, ping, log } = options;
  const folder = resolve(join(options.dataDir, 'mongodb'));
  const stores = { wiredTiger: join(folder, 'wiredtiger'), h2: join(folder, 'h2', 'store.mv') };
  const { tool, how } = await resolveChain({
    part: 'MongoDB',
    ways: mongodbWays(
      uri === undefined ? null : { uri, ping },
      findStoredEngine(stores),
      cache,
      await readStoredVersion(folder),
    ),
    advice: MONGODB_ADVICE,
  });
  if (tool.kind === 'yours') return externalPart(how, uri ?? '');

  const store = tool.kind === 'mongod' ? stores.wiredTiger : stores.h2;
  await mkdir(tool.kind === 'mongod' ? store : dirname(store), { recursive: true, mode: 0o700 });
  const address = (port: number): string => `mongodb://127.0.0.1:${port}/?directConnection=true`;
  const running = await startEmbedded({
    name: 'mongodb',
    how,
    dataDir: options.dataDir,
    store,
    ports: [{ label: "MongoDB's port", key: 'port', wanted: options.port }],
    command: ({ port }) => serverCommand(tool, port, store),
    graceMs: GRACE_MS,
    waitUntilReady: async ({ port }, running, signal) => {
      await waitForReadyLine(running, tool.kind === 'mongod' ? /Waiting for connections/i : /^ready$/, signal);
      await checkMongodb(address(port), ping);
    },
    exitReasons: { [STAND_IN_DISK_FULL]: `the disk of ${folder} is full; make room there` },
    describe: ({ port }) => ({ address: address(port), uiUrl: null }),
    onLost: options.onLost,
    log,
  });
  if (tool.kind === 'mongod') await writeFile(join(folder, VERSION_FILE), tool.version.join('.'), { mode: 0o600 });
  return running;
}

/** The version of the mongod that had the store last; null where none had it, or one of before this was noted. */
async function readStoredVersion(folder: string): Promise<readonly number[] | null> {
  const text = await readFile(join(folder, VERSION_FILE), 'utf8').catch(() => '');
  return /^\d+\.\d+\.\d+$/.test(text) ? text.split('.').map(Number) : null;
}

function serverCommand(
  tool: Exclude<MongodbTool, { kind: 'yours' }>,
  port: number,
  store: string,
): { file: string; args: string[]; watchesStdin: boolean } {
  if (tool.kind === 'mongod') {
    const args = ['--dbpath', store, '--port', String(port), '--bind_ip', '127.0.0.1', '--quiet'];
    // A socket file in a shared temporary folder is of no use; Windows has no such option.
    const unix = process.platform === 'win32' ? [] : ['--nounixsocket'];
    return { file: tool.path, args: [...args, ...unix, '--wiredTigerCacheSizeGB', '0.25'], watchesStdin: false };
  }
  const args = [...JVM_FLAGS, '-cp', tool.classPath, STAND_IN_MAIN, String(port), store];
  return { file: tool.java, args, watchesStdin: true };
}
