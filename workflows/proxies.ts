import { proxyActivities, type ActivityInterfaceFor } from '@temporalio/workflow';
import { laneTaskQueue, WEBHOOK_TASK_QUEUE } from '../core/contracts/queues.ts';
import {
  FILE_ACTIVITY_MS,
  FILE_HEARTBEAT_TIMEOUT_MS,
  HOUSEKEEPING_HEARTBEAT_TIMEOUT_MS,
  HOUSEKEEPING_ROUND_MS,
  INFRASTRUCTURE_RETRY,
  LANE_HEARTBEAT_TIMEOUT_MS,
  SHORT_ACTIVITY_MS,
} from '../core/contracts/timings.ts';
import type {
  BatchActivities,
  HousekeepingActivities,
  LaneActivities,
  PlanningActivities,
  ProviderBatchActivities,
  SettlingActivities,
  WebhookActivities,
} from '../activities/activities.ts';

/** A failure of the infrastructure (worker killed, database away) is Temporal's to retry; a lane's failure is an outcome. */
const retry = {
  initialInterval: INFRASTRUCTURE_RETRY.initialMs,
  maximumInterval: INFRASTRUCTURE_RETRY.maximumMs,
  backoffCoefficient: 2,
} as const;

/** Small reads and writes in MongoDB, on the workflow's own queue. Retried until they succeed: nothing may be lost. */
export const shortActivities = proxyActivities<
  PlanningActivities &
    SettlingActivities &
    Pick<BatchActivities, 'loadChunk' | 'keepAttempts' | 'announceBatch' | 'markAnnounced'>
>({
  startToCloseTimeout: SHORT_ACTIVITY_MS,
  retry,
});

/** Activities that stream a batch's files. */
export const fileActivities = proxyActivities<Pick<BatchActivities, 'validateBatch' | 'sealChunk' | 'finalizeBatch'>>({
  startToCloseTimeout: FILE_ACTIVITY_MS,
  heartbeatTimeout: FILE_HEARTBEAT_TIMEOUT_MS,
  retry,
});

/** A round that fails is done again by the schedule: two tries are for a worker that stops in the middle of one. */
export const housekeepingActivities = proxyActivities<HousekeepingActivities>({
  startToCloseTimeout: HOUSEKEEPING_ROUND_MS,
  scheduleToCloseTimeout: 2 * HOUSEKEEPING_ROUND_MS,
  heartbeatTimeout: HOUSEKEEPING_HEARTBEAT_TIMEOUT_MS,
  retry: { ...retry, maximumAttempts: 2 },
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

/**
 * The Batch API of a key lane's provider. A lane that nobody serves any more must not keep a batch from its end: the lines then
 * go as calls, as if nothing had been sent.
 * @param limitMs how long it is tried for in all
 */
export function providerBatchActivities(
  laneId: string,
  limitMs: number,
): ActivityInterfaceFor<ProviderBatchActivities> {
  return proxyActivities<ProviderBatchActivities>({
    taskQueue: laneTaskQueue(laneId),
    startToCloseTimeout: Math.min(FILE_ACTIVITY_MS, limitMs),
    scheduleToCloseTimeout: limitMs,
    heartbeatTimeout: FILE_HEARTBEAT_TIMEOUT_MS,
    retry,
    // A batch that is being made when the run is cancelled must be known, or nobody takes it back.
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    summary: "the provider's Batch API",
  });
}

/** Sending an event, on a queue of its own: a receiver that hangs holds a slot for as long as it is waited for. */
export function webhookActivities(endpointId: string): ActivityInterfaceFor<WebhookActivities> {
  return proxyActivities<WebhookActivities>({
    taskQueue: WEBHOOK_TASK_QUEUE,
    startToCloseTimeout: SHORT_ACTIVITY_MS,
    retry,
    // Endpoints take turns, so that one with many events does not hold up the others.
    priority: { fairnessKey: endpointId },
  });
}
