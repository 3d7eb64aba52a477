import { isProviderHold, providerHoldEndsAt } from './provider-run.ts';

/**
 * A hold is known by the activity that made it and by how often that was delivered: a delivery whose worker died keeps a hold of
 * its own, since what it sent out may have been paid for. No dot and no dollar sign: the key is the name of a field.
 */
export function holdKey(activity: {
  /** Unix milliseconds of the first delivery. */
  readonly scheduledAt: number;
  readonly chunkIndex: number;
  readonly activityId: string;
  readonly runId: string;
  /** From 1. */
  readonly delivery: number;
}): string {
  const { scheduledAt, chunkIndex, activityId, runId, delivery } = activity;
  return [scheduledAt, chunkIndex, activityId, runId, delivery].join('-').replaceAll(/[^\w-]/g, '_');
}

/** A group of lines is over in well under this time, all deliveries included; what is older is of an attempt that is dead. */
export const HOLD_IS_DEAD_AFTER_MS = 2 * 3_600_000;

/** True when nobody is left who would end the hold. */
export function isDeadHold(key: string, now: number): boolean {
  if (isProviderHold(key)) return now > providerHoldEndsAt(key);
  const scheduledAt = Number(key.split('-')[0]);
  return Number.isFinite(scheduledAt) && now - scheduledAt > HOLD_IS_DEAD_AFTER_MS;
}
