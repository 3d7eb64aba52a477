import { rm } from 'node:fs/promises';
import OpenAI from 'openai';
import { createAdminHttp, type AdminHttp } from '../../scripts/admin-http.ts';
import { createLogger } from '../../core/log.ts';
import { startMongodb, startTemporal, type RunningPart } from '../../stack/start-stack.ts';
import { connectDatabase, type Database } from '../../store/database.ts';
import { createStores, type Stores } from '../../store/stores.ts';
import type { AccountScript } from '../standins/chatgpt/account.ts';
import { startChatgptBackend, type ChatgptBackend } from '../standins/chatgpt/backend.ts';
import { startOpenaiApi, type OpenaiApi } from '../standins/openai/api.ts';
import { codexEnvironment, newDataDir } from './gateway.ts';
import { spawnNode, type SpawnedNode } from './spawned-node.ts';

/** flatlane in pieces that can be killed one by one: Temporal, MongoDB, an api process, worker processes. */
export interface Apart {
  readonly temporal: RunningPart;
  readonly mongodb: RunningPart;
  readonly api: SpawnedNode;
  /** SIGKILL to the api, and another one on the same port over the same data folder. */
  replaceApi(): Promise<void>;
  /** Starts another api beside the first one, on a port of its own. Resolves with its address. */
  startSecondApi(): Promise<string>;
  /** The worker that runs now. */
  worker(): SpawnedNode;
  /** Starts a worker over the same data folder, after the one before was killed. */
  startWorker(): Promise<SpawnedNode>;
  /**
   * Starts a worker on another machine: one with a data folder of its own, and no account in it. `shared` puts it on the
   * first one's folder instead, while that one runs.
   */
  startSecondWorker(folder?: 'own' | 'shared'): Promise<SpawnedNode>;
  readonly admin: AdminHttp;
  readonly adminKey: string;
  readonly openaiClient: OpenAI;
  readonly chatgpt: ChatgptBackend;
  readonly openai: OpenaiApi;
  readonly stores: Stores;
  stop(): Promise<void>;
}

/** @param extra further settings of the api and of the workers */
export async function startApart(
  accounts: Readonly<Record<string, AccountScript>>,
  extra: Readonly<Record<string, string>> = {},
): Promise<Apart> {
  const dataDir = await newDataDir();
  const log = createLogger('error', 'test');
  const quiet = { dataDir, log, onProgress: () => undefined };
  const stops: (() => Promise<unknown>)[] = [() => rm(dataDir, { recursive: true, force: true })];
  const stop = async (): Promise<void> => {
    for (const end of stops.toReversed()) await end();
  };
  try {
    const temporal = await startTemporal(quiet);
    stops.push(() => temporal.stop());
    const mongodb = await startMongodb(quiet);
    stops.push(() => mongodb.stop());
    const chatgpt = await startChatgptBackend({ accounts, keepBodies: false });
    stops.push(() => chatgpt.close());
    const openai = await startOpenaiApi({ keepBodies: false });
    stops.push(() => openai.close());

    const environment = {
      MONGODB_URI: mongodb.address,
      TEMPORAL_ADDRESS: temporal.address,
      FLATLANE_DATA: dataDir,
      FLATLANE_PORT: '0',
      FLATLANE_ADMIN_PORT: '0',
      FLATLANE_LOG_LEVEL: 'info',
      ...codexEnvironment(chatgpt),
      ...extra,
    };
    let api = spawnNode('api/main.js', [], environment);
    stops.push(() => api.stop());
    const adminKey = (await api.waitFor(/Admin key, shown once: (sk-fl-\S+)/))[1] ?? '';
    const url = (await api.waitFor(/"url":"([^"]+)"/))[1] ?? '';
    const adminUrl = (await api.waitFor(/"adminUrl":"([^"]+)"/))[1] ?? '';

    const replaceApi = async (): Promise<void> => {
      await api.kill();
      api = spawnNode('api/main.js', [], { ...environment, FLATLANE_PORT: new URL(url).port });
      await api.waitFor(/the api listens/);
    };

    const startSecondApi = async (): Promise<string> => {
      const second = spawnNode('api/main.js', [], environment);
      stops.push(() => second.stop());
      return (await second.waitFor(/"url":"([^"]+)"/))[1] ?? '';
    };

    let worker: SpawnedNode | undefined;
    stops.push(async () => worker?.stop());
    const startWorker = async (): Promise<SpawnedNode> => {
      worker = spawnNode('workers/main.js', [], environment);
      await worker.waitFor(/the worker takes tasks/);
      return worker;
    };
    await startWorker();
    const startSecondWorker = async (where: 'own' | 'shared' = 'own'): Promise<SpawnedNode> => {
      const folder = where === 'own' ? await newDataDir() : dataDir;
      if (where === 'own') stops.push(() => rm(folder, { recursive: true, force: true }));
      const second = spawnNode('workers/main.js', [], { ...environment, FLATLANE_DATA: folder });
      stops.push(() => second.stop());
      await second.waitFor(/the worker takes tasks/);
      return second;
    };
    const database: Database = await connectDatabase(mongodb.address, 'flatlane');
    stops.push(() => database.close());
    return {
      temporal,
      mongodb,
      get api() {
        return api;
      },
      replaceApi,
      startSecondApi,
      worker: () => {
        if (worker === undefined) throw new Error('no worker was started');
        return worker;
      },
      startWorker,
      startSecondWorker,
      admin: createAdminHttp(adminUrl, adminKey),
      adminKey,
      openaiClient: new OpenAI({ apiKey: adminKey, baseURL: `${url}/v1`, maxRetries: 5 }),
      chatgpt,
      openai,
      stores: createStores(database.db),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
