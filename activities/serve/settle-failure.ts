import type { Clock } from '../../core/clock.ts';
import type { SettleFailureInput } from '../../core/contracts/completion.ts';
import type { ReplyChannel } from '../../core/reply.ts';
import type { LaneLogStore } from '../../store/lane-log.ts';
import type { LedgerStore } from '../../store/ledger.ts';
import type { RequestResult, RequestStore } from '../../store/requests.ts';
import { costsOfUnanswered } from './costs-of-unanswered.ts';
import { failureAnswer } from '../../core/failure-answer.ts';
import { keepResult } from './keep-result.ts';
import { requestEntry } from './request-entry.ts';

interface SettleFailureDeps {
  readonly requests: RequestStore;
  readonly laneLog: LaneLogStore;
  readonly ledger: Pick<LedgerStore, 'listOfItem'>;
  readonly replies: ReplyChannel;
  readonly clock: Clock;
}

/**
 * Stores and sends the error of a request that no lane could answer. Safe to repeat: the first result stands, and what a
 * crash has cut off behind it is made up for.
 */
export function createSettleFailure({ requests, laneLog, ledger, replies, clock }: SettleFailureDeps) {
  return async function settleFailure({ requestId, failure, attempts, resetsAt }: SettleFailureInput): Promise<void> {
    const request = await requests.find(requestId);
    // What a lane has answered is not ours to tell, nor to log.
    if (request === null || (request.result !== null && request.result.laneId !== null)) return;
    const error = failureAnswer(failure.class, failure, resetsAt);
    const { status, retryAfterMs, shouldRetry } = error;
    const hints = {
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(shouldRetry === undefined ? {} : { shouldRetry }),
    };
    const at = clock.now();
    const own: RequestResult = {
      status,
      body: JSON.stringify(error.body),
      laneId: null,
      at,
      attempts: attempts.length,
      ...hints,
    };
    const result = request.result ?? (await keepResult(requests, request._id, own));
    // A lane has answered after all: it was taken for dead.
    if (result.laneId !== null) return;
    await laneLog.insertMissing([
      requestEntry(request, {
        httpStatus: result.status,
        laneId: null,
        laneAlias: null,
        attempts,
        usage: null,
        costs: await costsOfUnanswered({ ledger }, requestId, attempts),
        at: result.at,
      }),
    ]);
    if (request.replyTo === null) return;
    const sink = replies.open(request._id, request.replyTo);
    await sink.send({ type: 'failed', status: result.status, body: result.body, attempts: attempts.length, ...hints });
    await sink.close();
  };
}
