import { ActivityFailure, CancelledFailure } from '@temporalio/workflow';
import type { CutLine } from '../core/contracts/batch.ts';
import type { AttemptRecord } from '../core/contracts/failure.ts';

/**
 * The record of an attempt that was cancelled while it was under way, as its activity gave it. Undefined when none was: it was not
 * begun, or its worker said nothing.
 */
export function cancelledAttempt(error: unknown): AttemptRecord | undefined {
  return toldByCancelled(error) as AttemptRecord | undefined;
}

/** The lines of a group that was cancelled whose attempts were cut off, or had failed by then, as their activity gave them. */
export function cutLines(error: unknown): readonly CutLine[] {
  const told = toldByCancelled(error);
  // Workers of an earlier version told of one attempt, and not of which line.
  return Array.isArray(told) ? (told as readonly CutLine[]) : [];
}

function toldByCancelled(error: unknown): unknown {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof CancelledFailure ? cause.details[0] : undefined;
}
