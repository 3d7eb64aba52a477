import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createLogger } from '../../../core/log.ts';
import { buildEnvironment } from '../../../core/config.ts';
import { startLeashed, type LeashedProcess } from '../../../stack/leashed-process.ts';
import { STAND_IN_MAIN } from '../../../stack/mongodb/build-stand-in.ts';
import { mongodbWays } from '../../../stack/mongodb/ways.ts';
import { startEmbedded } from '../../../stack/running-part.ts';
import { createToolCache, toolCacheFolder } from '../../../stack/tool-cache.ts';
import { createTemporaryFolder } from '../temporary-folder.ts';

const BUILD_LIMIT_MS = 10 * 60_000;

let java: string;
let classPath: string;

beforeAll(async () => {
  const cache = createToolCache(toolCacheFolder(), (line) => process.stderr.write(`${line}\n`));
  const attempt = await mongodbWays(null, 'h2', cache)[3]?.find();
  if (attempt === undefined || 'reason' in attempt || attempt.tool.kind !== 'standIn') throw new Error('no stand-in');
  ({ java, classPath } = attempt.tool);
}, BUILD_LIMIT_MS);

async function occupyPort(): Promise<{ server: Server; port: number }> {
  const server = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

const commandOf = (port: number, file: string) => ({
  file: java,
  args: ['-Xmx192m', '-cp', classPath, STAND_IN_MAIN, String(port), file],
  watchesStdin: true,
});

async function start(port: number): Promise<LeashedProcess> {
  const file = join(await createTemporaryFolder(), 'store.mv');
  const running = startLeashed({ ...commandOf(port, file), env: buildEnvironment(), graceMs: 10_000 });
  onTestFinished(() => running.stop());
  return running;
}

describe('the stand-in for MongoDB', () => {
  it('ends by itself when its port is taken, and says so', async () => {
    const running = await start((await occupyPort()).port);
    expect(await running.ended).toMatchObject({ code: 1, signal: null });
    expect(running.tail()).toContain('Address already in use');
  });

  it('ends with its standard input, and in order', async () => {
    const { server, port } = await occupyPort();
    await new Promise((resolve) => void server.close(resolve));
    const running = await start(port);
    await expect.poll(() => running.tail()).toContain('ready');
    await running.stop();
    expect((await running.ended).code).toBe(0);
  });

  it('is started on another port when somebody takes its own at the last moment', async () => {
    const dataDir = await createTemporaryFolder();
    const store = join(dataDir, 'store.mv');
    const { port: taken } = await occupyPort();
    let starts = 0;
    const part = await startEmbedded({
      name: 'mongodb',
      how: 'a test',
      dataDir,
      store,
      ports: [{ label: "MongoDB's port", key: 'port', wanted: undefined }],
      command: ({ port }) => commandOf(starts++ === 0 ? taken : port, store),
      graceMs: 10_000,
      waitUntilReady: async (_ports, running, signal) => {
        await new Promise<void>((resolve, reject) => {
          running.onLine((line) => line === 'ready' && resolve());
          signal.addEventListener('abort', () => reject(new Error('ended')));
        });
      },
      describe: ({ port }) => ({ address: `127.0.0.1:${port}`, uiUrl: null }),
      log: createLogger('silent', 'test'),
    });
    onTestFinished(() => part.stop());
    expect(starts).toBe(2);
    expect(part.pid).not.toBeNull();
  });
});
