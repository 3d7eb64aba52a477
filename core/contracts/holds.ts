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

/**
 * A group of lines may live for many hours, and says now and then that it does. One that has said nothing for this long is dead: its
 * worker is gone, or was away so long that its activity was given up.
 */
export const HOLD_IS_DEAD_AFTER_MS = 2 * 3_600_000;

/** How often a group says so: one small write, and many of them may fail before anybody takes it for dead. */
export const HOLD_IS_RENEWED_EVERY_MS = 10 * 60_000;

/**
 * True when nobody is left who would end the hold.
 * @param aliveAt the last sign of life of the group that holds it, in Unix milliseconds; undefined for holds of earlier versions, which
 *   go by the first delivery of their activity
 */
export function isDeadHold(key: string, aliveAt: number | undefined, now: number): boolean {
  if (isProviderHold(key)) return now > providerHoldEndsAt(key);
  const lastSeenAt = aliveAt ?? Number(key.split('-')[0]);
  return Number.isFinite(lastSeenAt) && now - lastSeenAt > HOLD_IS_DEAD_AFTER_MS;
}
