import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { FastifyInstance } from 'fastify';
import type { Clock } from '../core/clock.ts';
import type { Config } from '../core/config.ts';
import type { Logger } from '../core/log.ts';
import type { ReplyHub } from '../core/reply-hub.ts';
import type { SecretBox } from '../core/secret-box.ts';
import type { Shutdown } from '../core/shutdown.ts';
import { checkAddress } from '../lanes/openai/check-address.ts';
import { createLaneDirectory } from '../lanes/policy/lane-directory.ts';
import { createLaneLoad } from '../lanes/policy/lane-load.ts';
import { createSilentLanes } from '../lanes/policy/silent-lanes.ts';
import { checkWebhookUrl } from '../lanes/webhooks/webhook-address.ts';
import type { Database } from '../store/database.ts';
import { createStores } from '../store/stores.ts';
import { registerAccountCareRoutes } from './admin/account-care-routes.ts';
import { registerAccountRoutes } from './admin/account-routes.ts';
import { registerAdminBatchRoutes } from './admin/batch-routes.ts';
import { issueAdminKey, type IssuedAdminKey } from './admin/issue-key.ts';
import { registerKeyRoutes } from './admin/key-routes.ts';
import { registerLaneRoutes } from './admin/lane-routes.ts';
import { registerLogRoutes } from './admin/log-routes.ts';
import { registerWebhookRoutes } from './admin/webhook-routes.ts';
import { cancelBatchesOf } from './batches/cancel-batch.ts';
import { createBatchStarter } from './batches/batch-starter.ts';
import { createBatchSweep } from './batches/batch-sweep.ts';
import { createRunCompletion } from './completions/run-completion.ts';
import { createWatchCompletion } from './completions/watch-completion.ts';
import { closeApp, countRequests } from './close-app.ts';
import { createApp } from './create-app.ts';
import { startDirectPath } from './direct/start-direct-path.ts';
import { createClaims } from './idempotency/claims.ts';
import { createRunOnce } from './idempotency/run-once.ts';
import { createInternalApp } from './internal-app.ts';
import { registerBatchProgressRoute } from './routes/batch-progress.ts';
import { registerBatchResultsRoute } from './routes/batch-results.ts';
import { registerBatchRetryRoute } from './routes/batch-retry.ts';
import { registerBatchControlRoutes } from './routes/batch-control.ts';
import { registerBatchQuoteRoutes } from './routes/batch-quotes.ts';
import { registerBatchRoutes } from './routes/batches.ts';
import { registerChatRoutes } from './routes/chat-completions.ts';
import { registerEmbeddingsRoutes } from './routes/embeddings.ts';
import { registerFileRoutes } from './routes/files.ts';
import { registerHealthRoutes } from './routes/health.ts';
import { registerModelRoutes } from './routes/models.ts';
import { registerResponsesRoutes } from './routes/responses.ts';
import { registerUploadRoutes } from './routes/uploads.ts';
import { ensureHousekeepingSchedule } from './temporal/housekeeping-schedule.ts';
import { ensureSearchAttributes } from './temporal/search-attributes.ts';
import { createUnderWay } from './under-way.ts';
import { createSendTestWebhook } from './webhooks/send-test.ts';

export interface ApiDeps {
  readonly config: Config;
  readonly database: Database;
  readonly client: Client;
  /** Makes a further admin key, for an owner who lost theirs. */
  readonly newAdminKey?: boolean;
  /** True when a worker shares the client's connection. */
  readonly eagerStart: boolean;
  readonly hub: ReplyHub;
  readonly secretBox: SecretBox;
  readonly clock: Clock;
  readonly log: Logger;
  readonly shutdown: Shutdown;
}

export interface RunningApi {
  readonly url: string;
  readonly adminUrl: string;
  readonly internalUrl: string;
  /** A new admin key, to be shown once and then marked: at the first start, or when another one was asked for. */
  readonly adminKey: IssuedAdminKey | undefined;
}

/** Phases of the stop: requests under way are finished within this time, and what is left is cut. */
const FINISH_REQUESTS_MS = 30_000;

/** When all are cut the port is closed in a moment. */
const CLOSE_PORT_MS = 2_000;

/** A handler whose connection was cut breaks its call off and notes that its cost is not known, or has its workflow cancelled. */
const END_HANDLERS_MS = 5_000;

/** Before the port closes `/readyz` answers 503 for this long, so that who looks often goes elsewhere without a refused connection. */
const LAST_ANSWER_MS = 300;

/** Puts the api's parts together and listens: the public port, the admin port, the internal port. */
export async function startApi(deps: ApiDeps): Promise<RunningApi> {
  const { config, database, client, hub, secretBox, clock, log, shutdown } = deps;
  const stores = createStores(database.db);
  await stores.ensureIndexes();
  const searchable = await ensureSearchAttributes({ client, log });
  await ensureHousekeepingSchedule({ client, log });
  const { keys, lanes, routes, requests, laneLog } = stores;
  const underWay = createUnderWay();
  const direct = await startDirectPath({
    ...stores,
    underWay,
    secretBox,
    dataDir: config.FLATLANE_DATA,
    clock,
    log,
    shutdown,
  });
  const load = createLaneLoad();
  const markSilent = createSilentLanes(() => performance.now());
  const directory = createLaneDirectory({
    listLanes: async () => (await direct.watch(lanes.list())).map(markSilent),
    listRoutes: () => routes.list(),
    clock,
    inFlight: load.inFlight,
    onPlanned: (laneId) => load.expect(laneId),
  });

  let stopping = false;
  let internalUrl = '';
  const checks = { mongodb: () => database.ping(), temporal: () => client.workflowService.getSystemInfo({}) };

  // Fastify's own lines say where it listens, which we say ourselves.
  const httpLog = log.child({ part: 'http' }, { level: log.isLevelEnabled('debug') ? 'debug' : 'warn' });
  const publicApp = createApp({ keys, secretBox, log: httpLog, defaultAccess: 'key' });
  const answers = countRequests(publicApp, underWay);
  registerHealthRoutes(publicApp, { checks, stopping: () => stopping });
  registerModelRoutes(publicApp, { directory });
  const runCompletion = createRunCompletion({
    client,
    eagerStart: deps.eagerStart,
    requests,
    hub,
    internalUrl: () => internalUrl,
    underWay,
    clock,
    log,
  });
  const runOnce = createRunOnce({
    claims: createClaims({ ...stores, clock }),
    requests,
    watchCompletion: createWatchCompletion({ client, requests, clock, log }),
    clock,
  });
  const completions = {
    runCompletion,
    runOnce,
    runDirect: direct.runDirect,
    directory,
    load,
    clock,
    drills: config.FLATLANE_DRILLS,
    pingAfterMs: config.FLATLANE_STREAM_PING_MS,
  };
  registerChatRoutes(publicApp, completions);
  registerResponsesRoutes(publicApp, completions);
  registerEmbeddingsRoutes(publicApp, completions);
  const batchStarter = createBatchStarter({ client, searchable });
  const batchSweep = createBatchSweep({ ...stores, ...batchStarter, clock, log });
  registerFileRoutes(publicApp, { ...stores, clock });
  registerUploadRoutes(publicApp, { ...stores, clock });
  registerBatchRoutes(publicApp, { ...stores, clock, ...batchStarter });
  registerBatchControlRoutes(publicApp, { ...stores, ...batchStarter });
  registerBatchProgressRoute(publicApp, { ...stores, clock, log });
  registerBatchResultsRoute(publicApp, { ...stores, clock });
  registerBatchQuoteRoutes(publicApp, { ...stores, directory, clock });
  registerBatchRetryRoute(publicApp, { ...stores, clock, ...batchStarter });

  const adminApp = createApp({ keys, secretBox, log: httpLog, defaultAccess: 'admin' });
  registerAccountRoutes(adminApp, { lanes, secretBox, clock, markSilent });
  registerAccountCareRoutes(adminApp, { lanes, routes, windowSamples: stores.windowSamples, directory });
  registerLaneRoutes(adminApp, {
    lanes,
    routes,
    providerRuns: stores.providerRuns,
    directory,
    secretBox,
    clock,
    checkAddress,
    markSilent,
  });
  const cancelling = { ...stores, ...batchStarter, clock, log };
  registerKeyRoutes(adminApp, {
    keys,
    secretBox,
    clock,
    cancelBatchesOf: (keyId) => cancelBatchesOf(cancelling, keyId),
  });
  registerAdminBatchRoutes(adminApp, cancelling);
  registerLogRoutes(adminApp, { laneLog });
  const sendTest = createSendTestWebhook({ client, clock });
  registerWebhookRoutes(adminApp, { ...stores, secretBox, clock, sendTest, checkUrl: checkWebhookUrl });

  const internalApp = createInternalApp(hub, httpLog);
  const listening = await listen(internalApp, config.FLATLANE_INTERNAL_HOST, config.FLATLANE_INTERNAL_PORT, 'internal');
  internalUrl = config.FLATLANE_INTERNAL_URL ?? listening;
  shutdown.add('internal port', 5_000, () => internalApp.close());
  const adminUrl = await listen(adminApp, config.FLATLANE_ADMIN_HOST, config.FLATLANE_ADMIN_PORT, 'admin');
  shutdown.add('admin port', 5_000, () => adminApp.close());
  const url = await listen(publicApp, config.FLATLANE_HOST, config.FLATLANE_PORT, 'API');
  batchSweep.startSweep();
  shutdown.add('sweep of lost batches', 5_000, () => batchSweep.stopSweep());
  shutdown.add('handlers of the API', END_HANDLERS_MS, () => underWay.settled());
  shutdown.add('API port', FINISH_REQUESTS_MS + CLOSE_PORT_MS, async () => {
    stopping = true;
    await sleep(LAST_ANSWER_MS);
    await closeApp(publicApp, answers, FINISH_REQUESTS_MS - LAST_ANSWER_MS);
  });
  // After all that may fail: a start that ends before it can show the key must not have made it.
  const adminKey = await issueAdminKey({ keys, secretBox, clock }, deps.newAdminKey ?? false);
  return { url, adminUrl, internalUrl, adminKey };
}

async function listen(app: FastifyInstance, host: string, port: number, name: string): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
      throw new Error(`Port ${port} for the ${name} is in use. Stop what uses it, or choose another port.`, {
        cause: error,
      });
    }
    throw error;
  }
}
