import OpenAI from 'openai';
import { issueKey } from '../../api/admin/issue-key.ts';
import { createApp } from '../../api/create-app.ts';
import { registerBatchControlRoutes } from '../../api/routes/batch-control.ts';
import { registerBatchProgressRoute } from '../../api/routes/batch-progress.ts';
import { registerBatchQuoteRoutes } from '../../api/routes/batch-quotes.ts';
import { registerBatchResultsRoute } from '../../api/routes/batch-results.ts';
import { registerBatchRetryRoute } from '../../api/routes/batch-retry.ts';
import { registerBatchRoutes } from '../../api/routes/batches.ts';
import { registerFileRoutes } from '../../api/routes/files.ts';
import { registerUploadRoutes } from '../../api/routes/uploads.ts';
import { createLogger } from '../../core/log.ts';
import { createSecretBox, newMasterKey } from '../../core/secret-box.ts';
import { createLaneDirectory } from '../../lanes/policy/lane-directory.ts';
import type { BatchDoc } from '../../store/batches.ts';
import { createBatchWorld } from './batch-world.ts';
import type { TestDatabase } from './mongodb.ts';

/** The routes of files and batches, listening, with two keys and the official client of each. */
export async function startFileApi(database: TestDatabase, maxFileBytes?: number, maxPartBytes?: number) {
  const world = await createBatchWorld(database);
  const { keys, clock } = world;
  const secretBox = createSecretBox(newMasterKey());
  const app = createApp({ keys, secretBox, log: createLogger('silent', 'test'), defaultAccess: 'key' });
  const started: BatchDoc[] = [];
  const cancelled: string[] = [];
  const woken: string[] = [];
  const faults: { start?: Error; tell?: Error } = {};
  const tell = async (told: string[], batchId: string): Promise<void> => {
    if (faults.tell !== undefined) throw faults.tell;
    told.push(batchId);
  };
  const limits = {
    ...(maxFileBytes === undefined ? {} : { maxFileBytes }),
    ...(maxPartBytes === undefined ? {} : { maxPartBytes }),
  };
  registerFileRoutes(app, { ...world, ...limits });
  registerUploadRoutes(app, { ...world, ...limits });
  registerBatchRoutes(app, {
    ...world,
    startBatch: async (batch) => {
      if (faults.start !== undefined) throw faults.start;
      started.push(batch);
    },
    cancelBatch: (batchId) => tell(cancelled, batchId),
  });
  registerBatchControlRoutes(app, { ...world, wakeBatch: (batchId) => tell(woken, batchId) });
  registerBatchProgressRoute(app, { ...world, log: createLogger('silent', 'test'), pollEveryMs: 10 });
  registerBatchResultsRoute(app, world);
  const { lanes, routes } = world;
  const directory = createLaneDirectory({
    listLanes: () => lanes.list(),
    listRoutes: () => routes.list(),
    clock,
    ages: clock,
  });
  registerBatchQuoteRoutes(app, { ...world, directory });
  registerBatchRetryRoute(app, {
    ...world,
    startBatch: async (batch) => {
      if (faults.start !== undefined) throw faults.start;
      started.push(batch);
    },
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const issue = (name: string) => issueKey({ keys, secretBox, clock }, { name, planLanes: false, admin: false });
  const [mine, other] = [await issue('mine'), await issue('other')];
  const clientOf = (apiKey: string) => new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 });
  return {
    ...world,
    app,
    url,
    started,
    cancelled,
    woken,
    faults,
    ownerId: mine.key.keyId,
    secret: mine.secret,
    client: clientOf(mine.secret),
    otherClient: clientOf(other.secret),
  };
}

export type FileApi = Awaited<ReturnType<typeof startFileApi>>;
