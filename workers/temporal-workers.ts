import { Worker, type NativeConnection } from '@temporalio/worker';
import type { Logger } from '../core/log.ts';
import { laneTaskQueue, WEBHOOK_TASK_QUEUE, WORKFLOW_TASK_QUEUE } from '../core/contracts/queues.ts';
import { LANE_HEARTBEAT_INTERVAL_MS } from '../core/contracts/timings.ts';
import type {
  BatchActivities,
  HousekeepingActivities,
  LaneActivities,
  PlanningActivities,
  SettlingActivities,
  WebhookActivities,
} from '../activities/activities.ts';
import { keepRunning } from './keep-running.ts';

interface WorkerDeps {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly log: Logger;
}

/** What is under way gets this long to end by itself, and then this long to end by being cancelled. */
const GRACE_MS = 15_000;
const FORCE_MS = 25_000;

/** Activities on the workflow's queue read and write MongoDB: as many as its connections serve well. */
const SHORT_ACTIVITIES_AT_A_TIME = 20;

/** A cached workflow costs some 100 KB; an evicted one is replayed, which costs time only. */
const CACHED_WORKFLOWS = 200;

/** The worker of workflows and of the activities that need no lane. */
export async function startWorkflowWorker(
  { connection, namespace, log }: WorkerDeps,
  workflowBundlePath: string,
  activities: PlanningActivities & SettlingActivities & BatchActivities & HousekeepingActivities,
): Promise<() => Promise<void>> {
  const create = (): Promise<Worker> =>
    Worker.create({
      connection,
      namespace,
      taskQueue: WORKFLOW_TASK_QUEUE,
      workflowBundle: { codePath: workflowBundlePath },
      activities: { ...activities },
      maxConcurrentActivityTaskExecutions: SHORT_ACTIVITIES_AT_A_TIME,
      maxCachedWorkflows: CACHED_WORKFLOWS,
      shutdownGraceTime: GRACE_MS,
      shutdownForceTime: FORCE_MS,
    });
  return keepRunning(create, WORKFLOW_TASK_QUEUE, log);
}

/** Events that are sent at a time: each may hang for 15 s, and costs a socket. */
const WEBHOOKS_AT_A_TIME = 20;

/** The worker that sends events to their receivers. */
export async function startWebhookWorker(
  { connection, namespace, log }: WorkerDeps,
  activities: WebhookActivities,
): Promise<() => Promise<void>> {
  const create = (): Promise<Worker> =>
    Worker.create({
      connection,
      namespace,
      taskQueue: WEBHOOK_TASK_QUEUE,
      activities: { ...activities },
      maxConcurrentActivityTaskExecutions: WEBHOOKS_AT_A_TIME,
      activityTaskPollerBehavior: { type: 'simple-maximum', maximum: 1 },
      shutdownGraceTime: GRACE_MS,
      shutdownForceTime: FORCE_MS,
    });
  return keepRunning(create, WEBHOOK_TASK_QUEUE, log);
}

/** The worker of one lane: as many tasks at a time as given. */
export async function startLaneWorker(
  { connection, namespace, log }: WorkerDeps,
  laneId: string,
  tasksAtATime: number,
  activities: LaneActivities,
): Promise<() => Promise<void>> {
  const taskQueue = laneTaskQueue(laneId);
  const create = (): Promise<Worker> =>
    Worker.create({
      connection,
      namespace,
      taskQueue,
      activities: { ...activities },
      maxConcurrentActivityTaskExecutions: tasksAtATime,
      activityTaskPollerBehavior: { type: 'simple-maximum', maximum: 2 },
      maxHeartbeatThrottleInterval: LANE_HEARTBEAT_INTERVAL_MS,
      shutdownGraceTime: GRACE_MS,
      shutdownForceTime: FORCE_MS,
    });
  return keepRunning(create, taskQueue, log);
}
