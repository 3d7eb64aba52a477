import type { Info } from '@temporalio/activity';

/** By which one delivery of an activity is told from every other, also of one that an earlier run of the workflow began. */
export interface Delivery {
  readonly runId: string;
  readonly activityId: string;
  /** From 1. */
  readonly delivery: number;
}

export function deliveryOf({ workflowExecution, activityId, attempt }: Info): Delivery {
  return { runId: workflowExecution?.runId ?? '', activityId, delivery: attempt };
}
