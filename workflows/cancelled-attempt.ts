import { ActivityFailure, CancelledFailure } from '@temporalio/workflow';
import type { AttemptRecord } from '../core/contracts/failure.ts';

/**
 * The record of an attempt that was cancelled while it was under way, as its activity gave it. Undefined when none was: it was not
 * begun, or its worker said nothing.
 */
export function cancelledAttempt(error: unknown): AttemptRecord | undefined {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (!(cause instanceof CancelledFailure)) return undefined;
  return cause.details[0] as AttemptRecord | undefined;
}
