import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { createLogger } from '../../core/log.ts';
import { startMongodb, startTemporal } from '../../stack/start-stack.ts';
import { newDataDir, readAddresses, spawnStart } from '../support/gateway.ts';
import { spawnNode } from '../support/spawned-node.ts';

async function emptyDataDir(): Promise<string> {
  const dataDir = await newDataDir();
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  return dataDir;
}

async function occupyPort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return String((server.address() as AddressInfo).port);
}

it('is shown by the start after one that found its port taken, and that one has started nothing', async () => {
  const dataDir = await emptyDataDir();
  const port = await occupyPort();
  const failed = spawnStart(dataDir, {}, port);
  expect(await failed.ended).toBe(1);
  expect(failed.output()).toContain(`Port ${port} for the API is in use`);

  const next = spawnStart(dataDir, {});
  onTestFinished(() => next.kill());
  await readAddresses(next);
  expect(next.output()).toContain('FLATLANE_ADMIN_KEY=sk-fl-');
  expect(await next.stop()).toBe(0);
});

it('is shown by an api on its own after one whose port was taken at the last moment', async () => {
  const quiet = { dataDir: await emptyDataDir(), log: createLogger('error', 'test'), onProgress: () => undefined };
  const temporal = await startTemporal(quiet);
  onTestFinished(() => temporal.stop());
  const mongodb = await startMongodb(quiet);
  onTestFinished(() => mongodb.stop());
  const startApi = (port: string) => {
    const api = spawnNode('api/main.js', [], {
      MONGODB_URI: mongodb.address,
      TEMPORAL_ADDRESS: temporal.address,
      FLATLANE_DATA: quiet.dataDir,
      FLATLANE_PORT: port,
      FLATLANE_ADMIN_PORT: '0',
    });
    onTestFinished(() => api.kill());
    return api;
  };
  expect(await startApi(await occupyPort()).ended).toBe(1);
  await startApi('0').waitFor(/Admin key, shown once: sk-fl-/);
});
