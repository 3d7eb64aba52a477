import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createLogger } from '../../../core/log.ts';
import { startMongodb } from '../../../stack/mongodb/start-mongodb.ts';
import { findStoredEngine, mongodbWays } from '../../../stack/mongodb/ways.ts';
import type { ToolCache } from '../../../stack/tool-cache.ts';
import { createTemporaryFolder } from '../temporary-folder.ts';

/** A program that behaves as mongod does in what the stack needs of it. */
const MONGOD = `#!${process.execPath}
const { createServer } = require('node:net');
const { writeFileSync } = require('node:fs');
const args = process.argv.slice(2);
const after = (name) => args[args.indexOf(name) + 1];
if (args.includes('--version')) { console.log('db version v' + process.env.HOME); process.exit(0); }
writeFileSync(after('--dbpath') + '/WiredTiger', '');
writeFileSync(after('--dbpath') + '/args.json', JSON.stringify(args));
createServer().listen(Number(after('--port')), after('--bind_ip'), () => console.log('{"msg":"Waiting for connections"}'));
`;

const emptyCache: ToolCache = {
  find: () => Promise.resolve(null),
  ensure: ({ title }) => Promise.reject(new Error(`no network for: ${title}`)),
};

/** HOME passes the version in: it is one of the few variables that a child is given. */
async function installMongod(version: string): Promise<string> {
  const folder = await createTemporaryFolder();
  await writeFile(join(folder, 'mongod'), MONGOD);
  await chmod(join(folder, 'mongod'), 0o755);
  vi.stubEnv('PATH', folder);
  vi.stubEnv('HOME', version);
  return folder;
}

async function reasonsOf(stored: 'wiredTiger' | 'h2' | null, storedVersion?: number[]): Promise<string[]> {
  const attempts = mongodbWays(null, stored, emptyCache, storedVersion).map(async (way) => {
    const attempt = await way.find().catch((cause: Error) => ({ reason: cause.message }));
    return 'reason' in attempt ? attempt.reason : `works: ${way.name}`;
  });
  return Promise.all(attempts);
}

describe('the ways to a MongoDB', () => {
  beforeEach(() => {
    vi.stubEnv('PATH', '/nowhere');
  });

  it('says of each why it does not work', async () => {
    expect(await reasonsOf(null)).toEqual([
      'MONGODB_URI is not set',
      'there is none',
      'no network for: Downloading MongoDB 8.2.6',
      'there is no JDK: `java` and `javac` are not both on PATH',
    ]);
  });

  it('takes a mongod on PATH that is new enough', async () => {
    const folder = await installMongod('8.0.4');
    const attempt = await mongodbWays(null, null, emptyCache)[1]?.find();
    expect(attempt).toEqual({ tool: { kind: 'mongod', path: join(folder, 'mongod'), version: [8, 0, 4] } });
  });

  it('passes over a mongod that the driver does not talk to', async () => {
    const folder = await installMongod('4.2.25');
    expect((await reasonsOf(null))[1]).toBe(`${join(folder, 'mongod')} is 4.2.25; 4.4 or newer is needed`);
  });

  it('keeps a data folder with the server that made its store', async () => {
    await installMongod('8.0.4');
    const [, onPath, download] = await reasonsOf('h2');
    expect([onPath, download]).toEqual(
      Array(2).fill('the data folder holds a store of the embedded stand-in, which mongod cannot open'),
    );
    expect((await reasonsOf('wiredTiger'))[3]).toBe('the data folder holds a store of mongod, which it cannot open');
  });

  it('passes over a mongod that is older than the one that had the store', async () => {
    const folder = await installMongod('7.0.20');
    const [, onPath] = await reasonsOf('wiredTiger', [8, 2, 6]);
    expect(onPath).toBe(
      `${join(folder, 'mongod')} is 7.0.20, and the data folder's store was last open in 8.2.6: an older mongod cannot open it`,
    );
    expect((await reasonsOf('wiredTiger', [8, 3, 0]))[2]).toMatch(/^it is 8\.2\.6, and the data folder's store was/);
    expect((await reasonsOf('wiredTiger', [7, 0, 25]))[1]).toBe('works: `mongod` on PATH');
  });

  it('remembers which mongod had the store', async () => {
    await installMongod('8.0.4');
    const dataDir = await createTemporaryFolder();
    const start = () => startMongodb({ dataDir, log: createLogger('silent', 'test'), onProgress: () => undefined });
    await (await start()).stop();
    await installMongod('7.0.20');
    // No place for tools, so that none is fetched.
    const file = join(dataDir, 'file');
    await writeFile(file, '');
    vi.stubEnv('XDG_CACHE_HOME', file);
    await expect(start()).rejects.toThrow("is 7.0.20, and the data folder's store was last open in 8.0.4");
  });

  it('runs a mongod on the data folder, on the loopback address', async () => {
    await installMongod('8.0.4');
    const dataDir = await createTemporaryFolder();
    const mongodb = await startMongodb({ dataDir, log: createLogger('silent', 'test'), onProgress: () => undefined });
    onTestFinished(() => mongodb.stop());
    expect(mongodb.how).toBe('`mongod` on PATH');
    const stores = {
      wiredTiger: join(dataDir, 'mongodb', 'wiredtiger'),
      h2: join(dataDir, 'mongodb', 'h2', 'store.mv'),
    };
    expect(findStoredEngine(stores)).toBe('wiredTiger');
    const { default: args } = (await import(join(stores.wiredTiger, 'args.json'), { with: { type: 'json' } })) as {
      default: string[];
    };
    expect(args.join(' ')).toContain(
      `--dbpath ${stores.wiredTiger} --port ${new URL(mongodb.address).port} --bind_ip 127.0.0.1`,
    );
  });

  it('knows the store of the stand-in by its file', async () => {
    const folder = await createTemporaryFolder();
    const stores = { wiredTiger: join(folder, 'wiredtiger'), h2: join(folder, 'h2', 'store.mv') };
    expect(findStoredEngine(stores)).toBeNull();
    await mkdir(join(folder, 'h2'));
    await writeFile(stores.h2, '');
    expect(findStoredEngine(stores)).toBe('h2');
  });
});
