import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { stackFile } from '../package-files.ts';
import type { Way } from '../resolve-chain.ts';
import { findOnPath, isAtLeast, readVersion, runCommand } from '../run-command.ts';
import type { ToolCache } from '../tool-cache.ts';
import { buildStandIn, standInClassPath, standInHash } from './build-stand-in.ts';
import { checkMongodb, type PingMongodb } from './health.ts';

/** The official server that is fetched; change it only to one that reads the stores of the last. */
const MONGOD_VERSION = '8.2.6';

/** The oldest that the driver talks to (wire version 9). */
const LEAST_MONGOD = [4, 4];
const MONGOD_PATTERN = /db version v(\d+\.\d+\.\d+)/;

const LEAST_JAVA = [17];
const JAVA_PATTERN = /javac (\d+(?:\.\d+)*)/;

/** The archive is 100 to 200 MB: this is a line of 5 Mbit/s. */
const DOWNLOAD_LIMIT_MS = 5 * 60_000;

const MONGOD = process.platform === 'win32' ? 'mongod.exe' : 'mongod';

export type MongodbTool =
  | { readonly kind: 'yours' }
  | { readonly kind: 'mongod'; readonly path: string; readonly version: readonly number[] }
  | { readonly kind: 'standIn'; readonly java: string; readonly classPath: string };

/** Which server made the store in the data folder; only that one can open it. */
export type StoredEngine = 'wiredTiger' | 'h2' | null;

export const MONGODB_ADVICE =
  'Install MongoDB 4.4 or newer so that `mongod` is on PATH, or a JDK 17 or newer and Maven, or set MONGODB_URI to a server of yours.';

interface Yours {
  readonly uri: string;
  readonly ping: PingMongodb | undefined;
}

/**
 * The ways to a MongoDB, cheapest first. A store that is there decides which servers come into question.
 * @param storedVersion of the mongod that had the store last; null where that is not known
 */
export function mongodbWays(
  yours: Yours | null,
  stored: StoredEngine,
  cache: ToolCache,
  storedVersion: readonly number[] | null = null,
): readonly Way<MongodbTool>[] {
  const platform = `${process.platform}-${process.arch}`;
  const downloadKey = `mongod-${MONGOD_VERSION}-official-${platform}`;
  const standInKey = `mongo-java-server-${standInHash()}`;
  const officialVersion = MONGOD_VERSION.split('.').map(Number);
  const official = (folder: string): MongodbTool => ({
    kind: 'mongod',
    path: join(folder, MONGOD),
    version: officialVersion,
  });
  const mayOpen = (version: readonly number[]): boolean =>
    stored !== 'wiredTiger' || storedVersion === null || isAtLeast(version, storedVersion.slice(0, 2));
  const isOlder = (which: string): { reason: string } => ({
    reason: `${which}, and the data folder's store was last open in ${storedVersion?.join('.')}: an older mongod cannot open it`,
  });
  const keptForH2 = { reason: 'the data folder holds a store of the embedded stand-in, which mongod cannot open' };

  return [
    {
      name: 'your own server (MONGODB_URI)',
      decisive: true,
      find: async () => {
        if (yours === null) return { reason: 'MONGODB_URI is not set' };
        await checkMongodb(yours.uri, yours.ping).catch((cause: Error) => {
          throw new Error(`it was given but does not serve: ${cause.message}`, { cause });
        });
        return { tool: { kind: 'yours' } };
      },
    },
    {
      name: '`mongod` on PATH',
      find: async () => {
        if (stored === 'h2') return keptForH2;
        const path = await findOnPath('mongod');
        if (path === null) return { reason: 'there is none' };
        const version = await readVersion(path, ['--version'], MONGOD_PATTERN);
        const which = `${path} is ${version.join('.')}`;
        if (!isAtLeast(version, LEAST_MONGOD))
          return { reason: `${which}; ${LEAST_MONGOD.join('.')} or newer is needed` };
        return mayOpen(version) ? { tool: { kind: 'mongod', path, version } } : isOlder(which);
      },
    },
    {
      name: 'the official download of MongoDB',
      findCached: async () => {
        const folder = stored === 'h2' || !mayOpen(officialVersion) ? null : await cache.find(downloadKey);
        return folder === null ? null : official(folder);
      },
      find: async () => {
        if (stored === 'h2') return keptForH2;
        if (!mayOpen(officialVersion)) return isOlder(`it is ${MONGOD_VERSION}`);
        const folder = await cache.ensure({
          key: downloadKey,
          title: `Downloading MongoDB ${MONGOD_VERSION}`,
          hint: '100 to 200 MB, once; to skip it, install mongod or set MONGODB_URI',
          build: (temporary) => downloadMongod(temporary),
        });
        return { tool: official(folder) };
      },
    },
    {
      name: 'the embedded stand-in, mongo-java-server',
      findCached: async () => {
        const folder = stored === 'wiredTiger' ? null : await cache.find(standInKey);
        const java = folder === null ? null : await findOnPath('java');
        return folder === null || java === null ? null : { kind: 'standIn', java, classPath: standInClassPath(folder) };
      },
      find: async () => {
        if (stored === 'wiredTiger') return { reason: 'the data folder holds a store of mongod, which it cannot open' };
        const [java, javac, mvn] = await Promise.all(['java', 'javac', 'mvn'].map((name) => findOnPath(name)));
        if (!java || !javac) return { reason: 'there is no JDK: `java` and `javac` are not both on PATH' };
        const version = await readVersion(javac, ['-version'], JAVA_PATTERN);
        if (!isAtLeast(version, LEAST_JAVA))
          return { reason: `${javac} is ${version.join('.')}; 17 or newer is needed` };
        if (!mvn) return { reason: 'Maven is missing: `mvn` is not on PATH' };
        const folder = await cache.ensure({
          key: standInKey,
          title: 'Building the embedded MongoDB stand-in with Maven',
          hint: 'under a minute, once; to skip it, install mongod or set MONGODB_URI',
          build: (temporary) => buildStandIn(temporary, { mvn, javac }),
        });
        return { tool: { kind: 'standIn', java, classPath: standInClassPath(folder) } };
      },
    },
  ];
}

/** Looks which store a data folder has. */
export function findStoredEngine(stores: { readonly wiredTiger: string; readonly h2: string }): StoredEngine {
  if (existsSync(join(stores.wiredTiger, 'WiredTiger'))) return 'wiredTiger';
  return existsSync(stores.h2) ? 'h2' : null;
}

async function downloadMongod(folder: string): Promise<void> {
  await runCommand({
    file: process.execPath,
    args: [stackFile('mongodb', 'download-mongod.mjs'), folder, MONGOD_VERSION],
    limitMs: DOWNLOAD_LIMIT_MS,
  });
  await readVersion(join(folder, MONGOD), ['--version'], MONGOD_PATTERN);
}
