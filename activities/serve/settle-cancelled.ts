import type { Clock } from '../../core/clock.ts';
import type { SettleCancelledInput } from '../../core/contracts/completion.ts';
import type { LaneLogStore } from '../../store/lane-log.ts';
import type { LedgerStore } from '../../store/ledger.ts';
import type { RequestStore } from '../../store/requests.ts';
import { costsOfUnanswered } from './costs-of-unanswered.ts';
import { entryOfResult } from './entry-of-result.ts';
import { requestEntry } from './request-entry.ts';

interface SettleCancelledDeps {
  readonly requests: Pick<RequestStore, 'find'>;
  readonly laneLog: Pick<LaneLogStore, 'insertMissing'>;
  readonly ledger: Pick<LedgerStore, 'listOfItem'>;
  readonly clock: Clock;
}

/**
 * Writes the lane log's entry of a request whose caller has left: one entry a request holds for this one too, and it is the one of
 * which nobody else tells that money may have been spent. Safe to repeat: an entry that is there stays.
 */
export function createSettleCancelled({ requests, laneLog, ledger, clock }: SettleCancelledDeps) {
  return async function settleCancelled({ requestId, attempts }: SettleCancelledInput): Promise<void> {
    const request = await requests.find(requestId);
    if (request === null) return;
    if (request.result !== null) {
      // It was answered before the cancellation came, and the worker may have died before it could write that down.
      const entry = await entryOfResult({ ledger }, request, request.result, { previous: attempts });
      return laneLog.insertMissing([entry]);
    }
    await laneLog.insertMissing([
      requestEntry(request, {
        httpStatus: null,
        laneId: null,
        laneAlias: null,
        attempts,
        usage: null,
        costs: await costsOfUnanswered({ ledger }, requestId, attempts),
        at: clock.now(),
      }),
    ]);
  };
}
