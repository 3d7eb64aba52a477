import type { Clock } from '../../core/clock.ts';
import type { SettleFailureInput } from '../../core/contracts/completion.ts';
import type { ReplyChannel } from '../../core/reply.ts';
import type { LaneLogStore } from '../../store/lane-log.ts';
import type { RequestStore } from '../../store/requests.ts';
import { failureAnswer } from './failure-answer.ts';

interface SettleFailureDeps {
  readonly requests: RequestStore;
  readonly laneLog: LaneLogStore;
  readonly replies: ReplyChannel;
  readonly clock: Clock;
}

/** Stores and sends the error of a request that no lane could answer. Safe to repeat: the first result stands. */
export function createSettleFailure({ requests, laneLog, replies, clock }: SettleFailureDeps) {
  return async function settleFailure(input: SettleFailureInput): Promise<void> {
    const request = await requests.find(input.requestId);
    if (request === null || request.result !== null) return;
    const { failure, attempts, resetsAt } = input;
    const error = failureAnswer(failure.class, failure, resetsAt);
    const body = JSON.stringify(error.body);
    await requests.storeResult(request._id, { status: error.status, body, laneId: null, at: clock.now() });
    await laneLog.insertMissing([
      {
        _id: request._id,
        kind: 'request',
        keyId: request.keyId,
        batchId: null,
        model: request.model,
        status: 'failed',
        httpStatus: error.status,
        laneId: null,
        laneAlias: null,
        attempts,
        usage: null,
        costMicros: 0,
        meterMicros: null,
        at: clock.now(),
      },
    ]);
    if (request.replyTo === null) return;
    const sink = replies.open(request._id, request.replyTo);
    const { status, retryAfterMs, shouldRetry } = error;
    await sink.send({
      type: 'failed',
      status,
      body,
      attempts: attempts.length,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(shouldRetry === undefined ? {} : { shouldRetry }),
    });
    await sink.close();
  };
}
