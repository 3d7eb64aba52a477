import { proxyActivities, type ActivityInterfaceFor } from '@temporalio/workflow';
import { laneTaskQueue } from '../core/contracts/queues.ts';
import {
  FILE_ACTIVITY_MS,
  FILE_HEARTBEAT_TIMEOUT_MS,
  INFRASTRUCTURE_RETRY,
  LANE_HEARTBEAT_TIMEOUT_MS,
  SHORT_ACTIVITY_MS,
} from '../core/contracts/timings.ts';
import type {
  BatchActivities,
  LaneActivities,
  PlanningActivities,
  SettlingActivities,
} from '../activities/activities.ts';

/** A failure of the infrastructure (worker killed, database away) is Temporal's to retry; a lane's failure is an outcome. */
const retry = {
  initialInterval: INFRASTRUCTURE_RETRY.initialMs,
  maximumInterval: INFRASTRUCTURE_RETRY.maximumMs,
  backoffCoefficient: 2,
} as const;

/** Small reads and writes in MongoDB, on the workflow's own queue. Retried until they succeed: nothing may be lost. */
export const shortActivities = proxyActivities<
  PlanningActivities & SettlingActivities & Pick<BatchActivities, 'loadChunk'>
>({
  startToCloseTimeout: SHORT_ACTIVITY_MS,
  retry,
});

/** Activities that stream a batch's files. */
export const fileActivities = proxyActivities<Pick<BatchActivities, 'validateBatch' | 'finalizeBatch'>>({
  startToCloseTimeout: FILE_ACTIVITY_MS,
  heartbeatTimeout: FILE_HEARTBEAT_TIMEOUT_MS,
  retry,
});

interface LaneOptions {
  readonly laneId: string;
  /** How long a task may wait in the lane's queue. */
  readonly slotWaitMs: number;
  /** How long one delivery of the activity may take. */
  readonly limitMs: number;
  readonly priorityKey: number;
  readonly fairnessKey: string;
  /** One line for the Temporal UI. */
  readonly summary: string;
}

/** The activities of one lane, on its own queue. A worker that dies is noticed by its heartbeat. */
export function laneActivities(options: LaneOptions): ActivityInterfaceFor<LaneActivities> {
  return proxyActivities<LaneActivities>({
    taskQueue: laneTaskQueue(options.laneId),
    scheduleToStartTimeout: options.slotWaitMs,
    startToCloseTimeout: options.limitMs,
    heartbeatTimeout: LANE_HEARTBEAT_TIMEOUT_MS,
    retry: { ...retry, maximumAttempts: INFRASTRUCTURE_RETRY.attempts },
    priority: { priorityKey: options.priorityKey, fairnessKey: options.fairnessKey },
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    summary: options.summary,
  });
}
