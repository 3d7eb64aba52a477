import type { BatchPriority } from './batch-control.ts';

/**
 * Task queues. The version is part of the name: when an activity's input changes so that old and new workers
 * can't serve the same tasks, the number goes up and both run until the old queue is empty.
 */

/** Workflows, and the activities that need no lane (planning, validation, files, settling a failure). */
export const WORKFLOW_TASK_QUEUE = 'flatlane.v1';

/** Events on their way to receivers. Apart, so that slow receivers hold up nothing else. */
export const WEBHOOK_TASK_QUEUE = 'webhooks.v1';

/** The queue of one lane. Its pollers are the workers that host the lane; they take some more tasks than the lane has slots, to wait at hand. */
export function laneTaskQueue(laneId: string): string {
  return `lane.${laneId}.v1`;
}

/**
 * Temporal's task priorities, 1 first. A person waits for an interactive request, so it overtakes every batch line that
 * still waits in the same lane's queue.
 */
export const TASK_PRIORITY = { interactive: 1, batch: 4 } as const;

/** The same for the lines of a batch, by the priority of their batch: every one behind interactive requests. */
export const LINE_TASK_PRIORITY: Readonly<Record<BatchPriority, number>> = {
  high: 2,
  normal: TASK_PRIORITY.batch,
  low: 5,
};
