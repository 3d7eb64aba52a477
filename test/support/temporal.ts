import { join } from 'node:path';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import {
  bundleWorkflowCode,
  DefaultLogger,
  Runtime,
  Worker,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import type { LaneActivities, ProviderBatchActivities } from '../../activities/activities.ts';
import { laneTaskQueue, WORKFLOW_TASK_QUEUE } from '../../core/contracts/queues.ts';
import { resolveChain } from '../../stack/resolve-chain.ts';
import { TEMPORAL_ADVICE, temporalWays } from '../../stack/temporal/ways.ts';
import { createToolCache, toolCacheFolder } from '../../stack/tool-cache.ts';
import { ROOT } from './spawned-node.ts';

/** A real Temporal server for one test file, with our workflows on it and activities that the test has in hand. */
export interface TestTemporal {
  readonly environment: TestWorkflowEnvironment;
  /** Runs our workflows, and these activities on their queue, until the test file is over. */
  serveWorkflows(activities: object): Promise<void>;
  /** Runs our workflows alone, and gives what stops that. */
  runWorkflows(): Promise<() => Promise<void>>;
  /** Runs these activities alone on the workflows' queue, until the test file is over. */
  serveActivities(activities: object): Promise<void>;
  /** Takes a lane's tasks until the test file is over, no more at a time than it has slots, if that is said. */
  serveLane(
    laneId: string,
    activities: Partial<LaneActivities & ProviderBatchActivities>,
    slots?: number,
  ): Promise<void>;
  release(): Promise<void>;
}

/** @param settings dynamic configuration of the server, as `name=value` */
export async function openTestTemporal(settings: readonly string[] = []): Promise<TestTemporal> {
  quietRuntime();
  const environment = await TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path: await temporalPath() },
      extraArgs: settings.flatMap((setting) => ['--dynamic-config-value', setting]),
    },
  });
  const running: { worker: Worker; ended: Promise<void> }[] = [];
  const run = (worker: Worker): void => void running.push({ worker, ended: worker.run() });
  const { nativeConnection: connection } = environment;
  // A cancellation travels with a heartbeat.
  const activityOptions = { connection, maxHeartbeatThrottleInterval: 100, shutdownForceTime: 2_000 };
  return {
    environment,
    serveWorkflows: async (activities) =>
      run(
        await Worker.create({
          ...activityOptions,
          taskQueue: WORKFLOW_TASK_QUEUE,
          workflowBundle: await bundleWorkflows(),
          activities,
        }),
      ),
    async runWorkflows() {
      const workflowBundle = await bundleWorkflows();
      const worker = await Worker.create({ connection, taskQueue: WORKFLOW_TASK_QUEUE, workflowBundle });
      const ended = worker.run();
      return async () => {
        worker.shutdown();
        await ended;
      };
    },
    serveActivities: async (activities) =>
      run(await Worker.create({ ...activityOptions, taskQueue: WORKFLOW_TASK_QUEUE, activities })),
    serveLane: async (laneId, activities, slots) =>
      run(
        await Worker.create({
          ...activityOptions,
          taskQueue: laneTaskQueue(laneId),
          ...(slots === undefined ? {} : { maxConcurrentActivityTaskExecutions: slots }),
          activities,
        }),
      ),
    async release() {
      for (const { worker } of running) worker.shutdown();
      await Promise.all(running.map(({ ended }) => ended));
      await environment.teardown();
    },
  };
}

const bundles = new Map<string, Promise<WorkflowBundleWithSourceMap>>();

/** Bundles workflows from their sources, so that a test never sees those of an older build; once in a process. */
export function bundleWorkflows(
  path: string = join(ROOT, 'workflows', 'index.ts'),
): Promise<WorkflowBundleWithSourceMap> {
  const bundle = bundles.get(path) ?? bundleWorkflowCode({ workflowsPath: path, logger: new DefaultLogger('WARN') });
  bundles.set(path, bundle);
  return bundle;
}

let isQuiet = false;

/** Temporal's own lines about failures that a test plants would fill the report. */
export function quietRuntime(): void {
  if (!isQuiet) Runtime.install({ logger: new DefaultLogger('ERROR') });
  isQuiet = true;
}

async function temporalPath(): Promise<string> {
  const cache = createToolCache(toolCacheFolder(), () => undefined);
  const { tool } = await resolveChain({
    part: 'Temporal server',
    ways: temporalWays(null, cache),
    advice: TEMPORAL_ADVICE,
  });
  if (tool.kind !== 'binary') throw new Error('these tests bring up a server of their own');
  return tool.path;
}
