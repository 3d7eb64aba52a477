import type { FastifyInstance } from 'fastify';
import { registerAccountCareRoutes } from '../../api/admin/account-care-routes.ts';
import { registerAccountRoutes } from '../../api/admin/account-routes.ts';
import { registerAdminBatchRoutes } from '../../api/admin/batch-routes.ts';
import { registerKeyRoutes } from '../../api/admin/key-routes.ts';
import { registerLaneRoutes } from '../../api/admin/lane-routes.ts';
import { registerLogRoutes } from '../../api/admin/log-routes.ts';
import { registerWebhookRoutes } from '../../api/admin/webhook-routes.ts';
import type { RunOnce } from '../../api/idempotency/run-once.ts';
import type { RunCompletion } from '../../api/completions/run-completion.ts';
import { createApp } from '../../api/create-app.ts';
import { registerBatchControlRoutes } from '../../api/routes/batch-control.ts';
import { registerBatchProgressRoute } from '../../api/routes/batch-progress.ts';
import { registerBatchResultsRoute } from '../../api/routes/batch-results.ts';
import { registerBatchRetryRoute } from '../../api/routes/batch-retry.ts';
import { registerBatchQuoteRoutes } from '../../api/routes/batch-quotes.ts';
import { registerBatchRoutes } from '../../api/routes/batches.ts';
import { registerChatRoutes } from '../../api/routes/chat-completions.ts';
import { registerEmbeddingsRoutes } from '../../api/routes/embeddings.ts';
import { registerFileRoutes } from '../../api/routes/files.ts';
import { registerHealthRoutes } from '../../api/routes/health.ts';
import { registerModelRoutes } from '../../api/routes/models.ts';
import { registerResponsesRoutes } from '../../api/routes/responses.ts';
import { registerUploadRoutes } from '../../api/routes/uploads.ts';
import type { RouteView } from '../../lanes/policy/plan-lanes.ts';
import { systemClock } from '../../core/clock.ts';
import { createSecretBox, newMasterKey } from '../../core/secret-box.ts';
import { createSilentLanes } from '../../lanes/policy/silent-lanes.ts';
import { createLaneDirectory } from '../../lanes/policy/lane-directory.ts';
import { createLaneLoad } from '../../lanes/policy/lane-load.ts';
import type { KeyDoc, KeyStore } from '../../store/keys.ts';
import type { LaneDoc } from '../../store/lanes.ts';
import { keptLog, plantLaneDoc } from './planted.ts';

export const APP_KEY = `sk-fl-${'a'.repeat(43)}`;
export const ADMIN_KEY = `sk-fl-${'b'.repeat(43)}`;

/** Stores that must not be reached: whoever asks them something fails the test with its name. */
const untouched = (name: string): never =>
  new Proxy(
    {},
    {
      get: (_, operation) => () => Promise.reject(new Error(`${name}.${String(operation)} was called`)),
    },
  ) as never;

/**
 * The public and the admin app with all of their routes, over fakes: two keys, one key lane, and a completion in the test's
 * hand. `routes` are all that Fastify has, as `METHOD /path`.
 */
export async function createApiWorld() {
  const secretBox = createSecretBox(newMasterKey());
  const { log, lines } = keptLog();
  const clock = systemClock;
  const world = {
    lanes: [plantLaneDoc('k')] as LaneDoc[],
    routes: [] as RouteView[],
    runCompletion: (() => Promise.reject(new Error('no completion is planted'))) as RunCompletion,
    /** The direct path; the same as the other while a test does not tell them apart. */
    runDirect: undefined as RunCompletion | undefined,
  };
  const keyDoc = (secret: string, admin: boolean): KeyDoc => ({
    _id: secretBox.hashKey(secret),
    keyId: admin ? 'key_admin' : 'key_app',
    name: 'planted',
    admin,
    planLanes: admin,
    createdAt: 1,
    revokedAt: null,
  });
  const known = [keyDoc(APP_KEY, false), keyDoc(ADMIN_KEY, true)];
  const findActive = async (hash: string): Promise<KeyDoc | null> => known.find(({ _id }) => _id === hash) ?? null;
  const keys = { findActive, list: async () => known } as unknown as KeyStore;
  const lanes = { list: async () => world.lanes } as unknown as Parameters<typeof registerAccountRoutes>[1]['lanes'];
  const load = createLaneLoad();
  const directory = createLaneDirectory({
    listLanes: async () => world.lanes,
    listRoutes: async () => world.routes,
    clock,
    inFlight: load.inFlight,
    onPlanned: (laneId) => load.expect(laneId),
  });

  const routes: string[] = [];
  const watch = (app: FastifyInstance): void =>
    void app.addHook('onRoute', ({ method, url }) => {
      for (const one of [method].flat()) routes.push(`${one} ${url}`);
    });
  const publicApp = createApp({ keys, secretBox, log, defaultAccess: 'key' });
  watch(publicApp);
  registerHealthRoutes(publicApp, { checks: { mongodb: async () => 'ok' }, stopping: () => false });
  registerModelRoutes(publicApp, { directory });
  const completions = {
    runCompletion: ((call) => world.runCompletion(call)) as RunCompletion,
    runDirect: ((call) => (world.runDirect ?? world.runCompletion)(call)) as RunCompletion,
    runOnce: (async ({ requestId, work }) => ({ requestId, end: await work(requestId), isReplay: false })) as RunOnce,
    directory,
    load,
    clock,
    drills: true,
    pingAfterMs: 15_000,
  };
  registerChatRoutes(publicApp, completions);
  registerResponsesRoutes(publicApp, completions);
  registerEmbeddingsRoutes(publicApp, completions);
  registerFileRoutes(publicApp, {
    idempotency: untouched('idempotency'),
    files: untouched('files'),
    batches: untouched('batches'),
    clock,
  });
  registerUploadRoutes(publicApp, { files: untouched('files'), uploads: untouched('uploads'), clock });
  registerBatchRoutes(publicApp, {
    idempotency: untouched('idempotency'),
    files: untouched('files'),
    batches: untouched('batches'),
    clock,
    startBatch: () => Promise.reject(new Error('a batch was started')),
    cancelBatch: () => Promise.reject(new Error('a batch was cancelled')),
  });
  registerBatchControlRoutes(publicApp, {
    batches: untouched('batches'),
    batchControl: untouched('batchControl'),
    batchSpend: untouched('batchSpend'),
    wakeBatch: () => Promise.reject(new Error('a batch was woken')),
  });
  registerBatchProgressRoute(publicApp, { batches: untouched('batches'), lanes: untouched('lanes'), clock, log });
  registerBatchResultsRoute(publicApp, {
    batches: untouched('batches'),
    results: untouched('results'),
    files: untouched('files'),
    lanes,
    clock,
  });
  registerBatchQuoteRoutes(publicApp, {
    batches: untouched('batches'),
    files: untouched('files'),
    quotes: untouched('quotes'),
    laneLog: untouched('laneLog'),
    windowSamples: untouched('windowSamples'),
    lanes,
    directory,
    clock,
  });
  registerBatchRetryRoute(publicApp, {
    files: untouched('files'),
    batches: untouched('batches'),
    results: untouched('results'),
    lanes: untouched('lanes'),
    clock,
    startBatch: () => Promise.reject(new Error('a batch was started')),
  });
  const publicRoutes = routes.splice(0);

  const adminApp = createApp({ keys, secretBox, log, defaultAccess: 'admin' });
  watch(adminApp);
  const markSilent = createSilentLanes(() => 0);
  registerAccountRoutes(adminApp, { lanes, secretBox, clock, markSilent });
  registerAccountCareRoutes(adminApp, {
    lanes,
    routes: untouched('routes'),
    windowSamples: untouched('windowSamples'),
    directory,
  });
  registerLaneRoutes(adminApp, {
    lanes,
    routes: untouched('routes'),
    providerRuns: untouched('provider runs'),
    directory,
    secretBox,
    clock,
    checkAddress: async () => undefined,
    markSilent,
  });
  registerKeyRoutes(adminApp, {
    keys,
    secretBox,
    clock,
    cancelBatchesOf: () => Promise.reject(new Error('batches were cancelled')),
  });
  registerAdminBatchRoutes(adminApp, {
    batches: untouched('batches'),
    clock,
    cancelBatch: () => Promise.reject(new Error('a batch was cancelled')),
  });
  registerLogRoutes(adminApp, { laneLog: untouched('laneLog') });
  registerWebhookRoutes(adminApp, {
    webhooks: untouched('webhooks'),
    keys,
    secretBox,
    clock,
    sendTest: () => Promise.reject(new Error('a webhook was tested')),
    checkUrl: async () => undefined,
  });
  await Promise.all([publicApp.ready(), adminApp.ready()]);
  return {
    world,
    load,
    publicApp,
    adminApp,
    /** Routes in plugins of their own are known once the app is ready. */
    publicRoutes: [...publicRoutes, ...routes.filter((route) => route.includes(' /v1/'))],
    adminRoutes: routes.filter((route) => !route.includes(' /v1/')),
    lines,
    async close() {
      await publicApp.close();
      await adminApp.close();
    },
  };
}

export type ApiWorld = Awaited<ReturnType<typeof createApiWorld>>;
