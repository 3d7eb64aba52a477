import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CancelledFailure, Context } from '@temporalio/activity';
import type { NativeConnection } from '@temporalio/worker';
import { Agent } from 'undici';
import { createFinalizeBatch } from '../activities/batch/finalize-batch.ts';
import { createChunkReader } from '../activities/batch/load-chunk.ts';
import { createKeepAttempts } from '../activities/batch/keep-attempts.ts';
import { createSealChunk } from '../activities/batch/seal-chunk.ts';
import { createValidateBatch } from '../activities/batch/validate-batch.ts';
import { createIsModelServed } from '../activities/planning/is-model-served.ts';
import { createMeteredLanes } from '../activities/planning/metered-lanes.ts';
import { createHousekeep } from '../activities/housekeeping/housekeep.ts';
import { createPlanLanesFor } from '../activities/plan-lanes-for.ts';
import { withHeartbeat } from '../activities/serve/heartbeat.ts';
import { createBatchGate } from '../activities/serve/batch-gate.ts';
import { createLinePace } from '../activities/serve/line-pace.ts';
import { createEndProviderRun } from '../activities/provider-batch/end-provider-run.ts';
import { createPlanProviderBatch } from '../activities/provider-batch/plan-provider-batch.ts';
import { createProviderBatchActivities } from '../activities/provider-batch/provider-batch-activities.ts';
import { createLineRecorder } from '../activities/serve/line-recorder.ts';
import { createServeLines } from '../activities/serve/serve-lines.ts';
import { createServeRequest } from '../activities/serve/serve-request.ts';
import { createSettleCancelled } from '../activities/serve/settle-cancelled.ts';
import { createSettleFailure } from '../activities/serve/settle-failure.ts';
import { createSettleLines } from '../activities/serve/settle-lines.ts';
import { createAnnounceBatch } from '../activities/webhooks/announce-batch.ts';
import { createDeliverWebhook } from '../activities/webhooks/deliver-webhook.ts';
import type { Clock } from '../core/clock.ts';
import type { Config } from '../core/config.ts';
import { readOrMakeFile } from '../core/first-start-file.ts';
import { newHostId } from '../core/ids.ts';
import type { Logger } from '../core/log.ts';
import type { ReplyHub } from '../core/reply-hub.ts';
import type { SecretBox } from '../core/secret-box.ts';
import type { Shutdown } from '../core/shutdown.ts';
import { runSelfTest } from '../lanes/codex/self-test.ts';
import { createLaneDirectory } from '../lanes/policy/lane-directory.ts';
import { createLaneLoad } from '../lanes/policy/lane-load.ts';
import { createSilentLanes } from '../lanes/policy/silent-lanes.ts';
import { createPriceList } from '../lanes/prices/price-list.ts';
import { createWebhookPoster } from '../lanes/webhooks/post-webhook.ts';
import type { Database } from '../store/database.ts';
import { createStores } from '../store/stores.ts';
import { startHostBeat } from './host-beat.ts';
import { hostKeyLane } from './host-key-lane.ts';
import { hostPlanLane } from './host-plan-lane.ts';
import { createLaneHost } from './lane-host.ts';
import { createReplyChannel } from './reply-channel.ts';
import { startLaneWorker, startWebhookWorker, startWorkflowWorker } from './temporal-workers.ts';

export interface WorkerDeps {
  readonly config: Config;
  readonly database: Database;
  readonly connection: NativeConnection;
  /** The api's hub where the api runs in this process. */
  readonly hub: ReplyHub | undefined;
  readonly secretBox: SecretBox;
  /** The prebuilt workflow bundle. */
  readonly workflowBundlePath: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly shutdown: Shutdown;
}

/** Workers end what is under way within Temporal's grace and force times; a little more for what comes after. */
const STOP_LIMIT_MS = 35_000;

/**
 * Tasks of a lane that may wait in this process beside those that have a slot. Here interactive requests overtake batch lines,
 * so there must be room for one when groups of lines of several batches wait as well; beyond that Temporal's priorities hold.
 */
const TASKS_THAT_WAIT = 32;

/** From the plan of a batch's chunk to its first lines on the lane, with room: until then another chunk must see that it comes. */
const PLANNED_COUNTS_MS = 2_000;

/** Puts a worker's parts together and begins to take tasks: workflows, and the lanes of this machine. */
export async function startWorker(deps: WorkerDeps): Promise<void> {
  const { config, database, connection, secretBox, clock, log, shutdown } = deps;
  const stores = createStores(database.db);
  await stores.ensureIndexes();
  const { lanes, routes, keys } = stores;
  const temporal = { connection, namespace: config.TEMPORAL_NAMESPACE, log };
  const planned = createLaneLoad();
  const markSilent = createSilentLanes(() => performance.now());
  const directory = createLaneDirectory({
    listLanes: async () => (await lanes.list()).map(markSilent),
    listRoutes: () => routes.list(),
    clock,
    inFlight: (laneId) => (host.find(laneId)?.inFlight?.() ?? 0) + planned.inFlight(laneId),
    onPlanned: (laneId) => planned.expect(laneId, PLANNED_COUNTS_MS),
  });
  const prices = createPriceList();
  const costMicros = prices.costMicros.bind(prices);
  const dispatcher = new Agent();
  const replies = createReplyChannel(deps.hub, dispatcher, log);
  const chunkReader = createChunkReader(stores);
  const pace = createLinePace();
  const recorder = createLineRecorder({ ...stores, clock, log });
  const heldBack = createBatchGate({ ...stores, clock });
  shutdown.add('reply channel', 5_000, () => dispatcher.close());

  const dataDir = config.FLATLANE_DATA;
  const hostId = await readHostId(dataDir);
  const codexEnvironment = config.FLATLANE_CODEX_ENV;
  const codexConfig = config.FLATLANE_CODEX_CONFIG;
  const selfTest = runSelfTest({ dataDir, log, codexEnvironment, codexConfig }).then(
    (result) => (result.ok ? undefined : result.why),
    // Its folder could not be made, say. Closed rather than untested; key lanes go on.
    (error: unknown) => {
      log.error({ err: error }, 'the self-test of the plan lanes could not be run');
      return 'the self-test could not be run';
    },
  );
  const host = createLaneHost({
    lanes,
    hostId,
    hostKeyLane: (doc) => hostKeyLane({ lanes, secretBox, clock, log }, doc),
    hostPlanLane: (doc) =>
      hostPlanLane(
        {
          lanes,
          samples: stores.windowSamples,
          secretBox,
          dataDir,
          codexEnvironment,
          codexConfig,
          selfTest,
          clock,
          log,
        },
        doc,
      ),
    serve: (laneId, concurrency) =>
      startLaneWorker(temporal, laneId, concurrency + TASKS_THAT_WAIT, {
        serveRequest: createServeRequest({ ...stores, host, costMicros, replies, pace, clock, log }),
        serveLines: createServeLines({
          ...stores,
          host,
          chunkReader,
          recorder,
          heldBack,
          stopping: shutdown.signal,
          costMicros,
          pace,
          clock,
          log,
        }),
        ...createProviderBatchActivities({
          ...stores,
          spend: stores.batchSpend,
          host,
          chunkReader,
          recorder,
          costMicros,
          keepAlive: withHeartbeat,
          checkIn,
          pause: (milliseconds, signal) => sleep(milliseconds, undefined, { signal }),
          signal: () => Context.current().cancellationSignal,
          clock,
          log,
        }),
      }),
    log,
  });
  await host.start();
  shutdown.add('lanes', STOP_LIMIT_MS, () => host.stop());
  const stopBeat = startHostBeat({ lanes, isServed: (laneId) => host.find(laneId) !== undefined, log });
  shutdown.add('beat of the accounts', 5_000, stopBeat);

  const endOfBatch = { ...stores, chunkReader, now: () => clock.now(), checkIn };
  const planning = { ...stores, directory, metered: createMeteredLanes(stores), clock };
  const stopWorkflows = await startWorkflowWorker(temporal, deps.workflowBundlePath, {
    planLanesFor: createPlanLanesFor(planning),
    planProviderBatch: createPlanProviderBatch(planning),
    endProviderRun: createEndProviderRun(stores),
    settleFailure: createSettleFailure({ ...stores, replies, clock }),
    settleCancelled: createSettleCancelled({ ...stores, clock }),
    settleLines: createSettleLines({ chunkReader, recorder, clock }),
    loadChunk: ({ batchId, chunkIndex }) => chunkReader.pendingLines(batchId, chunkIndex),
    validateBatch: createValidateBatch({
      ...stores,
      clock,
      checkIn,
      isModelServed: createIsModelServed({ directory, keys }),
    }),
    keepAttempts: createKeepAttempts(stores),
    sealChunk: createSealChunk(endOfBatch),
    finalizeBatch: createFinalizeBatch(endOfBatch),
    announceBatch: createAnnounceBatch(stores),
    markAnnounced: ({ batchId }) => stores.batchAnnouncements.markAnnounced(batchId),
    housekeep: createHousekeep({ stores, clock, logDays: config.FLATLANE_LOG_DAYS, log, checkIn }),
  });
  shutdown.add('workflows', STOP_LIMIT_MS, stopWorkflows);

  const poster = createWebhookPoster();
  shutdown.add('connections of webhooks', 5_000, () => poster.close());
  const stopWebhooks = await startWebhookWorker(temporal, {
    deliverWebhook: createDeliverWebhook({
      ...stores,
      secretBox,
      poster,
      clock,
      log,
      signal: () => Context.current().cancellationSignal,
    }),
  });
  shutdown.add('webhooks', STOP_LIMIT_MS, stopWebhooks);
}

/** A long activity says that it goes on, and ends when it was cancelled or the worker stops. */
function checkIn(progress: number): void {
  const context = Context.current();
  context.heartbeat(progress);
  if (context.cancellationSignal.aborted) throw new CancelledFailure('cancelled, or the worker stops');
}

/** The name of this machine's disk: accounts whose home is on it are served by workers that have it. */
function readHostId(dataDir: string): Promise<string> {
  return readOrMakeFile(join(dataDir, 'host-id'), newHostId);
}
