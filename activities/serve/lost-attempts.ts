import { CancelledFailure, Context } from '@temporalio/activity';
import type { ServeRequestInput } from '../../core/contracts/completion.ts';
import type { AttemptRecord } from '../../core/contracts/failure.ts';
import { attemptKey } from '../../core/contracts/ids.ts';
import type { Logger } from '../../core/log.ts';
import { persist } from '../../core/persist.ts';
import type { LedgerStore } from '../../store/ledger.ts';
import { unsentDeliveries } from './unsent-deliveries.ts';

interface LostAttemptsDeps {
  readonly ledger: Pick<LedgerStore, 'listOfItem'>;
  readonly log: Logger;
}

/**
 * The records of earlier deliveries of an attempt on a metered lane: their worker died or stopped in them, and nobody heard of their
 * end. One that died before it went out is among them, for nobody knows; one that has said that it sent nothing is not. What the
 * upstream takes for one is unknown unless the ledger has it. To be asked when this delivery is over: one that was taken for dead may
 * have settled meanwhile.
 * @param startedAt when this delivery began, in Unix milliseconds
 */
export async function lostAttempts(
  { ledger, log }: LostAttemptsDeps,
  { requestId, lane, attempt, drill }: ServeRequestInput,
  startedAt: number,
): Promise<readonly AttemptRecord[]> {
  const { attempt: delivery, scheduledTimestampMs } = Context.current().info;
  // What is played goes to no upstream.
  if (delivery === 1 || lane.kind !== 'key' || drill !== undefined) return [];
  const unsent = unsentDeliveries();
  const lost = Array.from({ length: delivery - 1 }, (_, index) => index + 1).filter((one) => !unsent.includes(one));
  if (lost.length === 0) return [];
  const rows = await persist(log, () => ledger.listOfItem(requestId));
  const known = new Set(rows.flatMap(({ _id, costMicros }) => (costMicros === null ? [] : [_id])));
  return lost.map((one) => ({
    laneId: lane.laneId,
    attempt,
    outcome: 'process_lost',
    reachedUpstream: true,
    startedAt: scheduledTimestampMs,
    durationMs: Math.max(0, startedAt - scheduledTimestampMs),
    reason: 'the worker that took the request was lost or stopped',
    ...(known.has(attemptKey(requestId, attempt, one)) ? {} : { costUnknown: true as const }),
  }));
}

/** The one record that the workflow gets of an attempt that did not end the request: its cost is unknown if that of any delivery is. */
export function recordOfAll(record: AttemptRecord, lost: readonly AttemptRecord[]): AttemptRecord {
  return lost.some(({ costUnknown }) => costUnknown === true) ? { ...record, costUnknown: true } : record;
}

/** The same for an attempt that was cancelled, whose record is in the failure's details. Any other error comes back as it is. */
export async function cancelledWith(
  error: unknown,
  lostUntil: (startedAt: number) => Promise<readonly AttemptRecord[]>,
): Promise<unknown> {
  const record = error instanceof CancelledFailure ? (error.details[0] as AttemptRecord | undefined) : undefined;
  if (!(error instanceof CancelledFailure) || record === undefined) return error;
  return new CancelledFailure(error.message, [recordOfAll(record, await lostUntil(record.startedAt))]);
}
