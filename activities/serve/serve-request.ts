import { ApplicationFailure, Context } from '@temporalio/activity';
import type { Clock } from '../../core/clock.ts';
import type { ServeRequestInput, ServeResult } from '../../core/contracts/completion.ts';
import { attemptKey } from '../../core/contracts/ids.ts';
import type { LaneOutcome } from '../../core/lane-port.ts';
import type { Logger } from '../../core/log.ts';
import type { ReplyChannel, ReplySink } from '../../core/reply.ts';
import type { LaneLogDoc, LaneLogStore } from '../../store/lane-log.ts';
import type { LedgerStore } from '../../store/ledger.ts';
import type { RequestDoc, RequestStore } from '../../store/requests.ts';
import { costsOf, type CostMicros, type Costs } from './costs.ts';
import { withHeartbeat } from './heartbeat.ts';
import { ownAnswer } from './failure-answer.ts';
import type { LaneHost } from './hosted-lane.ts';
import { persist } from './persist.ts';
import { tryLane, type TriedLane } from './try-lane.ts';

export interface ServeRequestDeps {
  readonly host: LaneHost;
  readonly requests: RequestStore;
  readonly laneLog: LaneLogStore;
  readonly ledger: LedgerStore;
  readonly costMicros: CostMicros;
  readonly replies: ReplyChannel;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Tries an interactive request on one lane. The answer is stored before the caller has it; a second answer to the same
 * request is paid for in the ledger and dropped.
 */
export function createServeRequest(deps: ServeRequestDeps) {
  return async function serveRequest(input: ServeRequestInput): Promise<ServeResult> {
    const request = await deps.requests.find(input.requestId);
    if (request === null) {
      throw ApplicationFailure.nonRetryable(`request ${input.requestId} is not in the database`, 'RequestMissing');
    }
    if (request.result !== null) return answeredBefore(input, deps.clock.now());
    const sink = request.replyTo === null ? undefined : deps.replies.open(request._id, request.replyTo);
    return withHeartbeat(async () => {
      try {
        return await serve(deps, input, request, sink);
      } finally {
        await sink?.close();
      }
    });
  };
}

/** A worker died between storing the answer and saying so. The caller has it, or reads it from the database. */
function answeredBefore({ lane, attempt }: ServeRequestInput, now: number): ServeResult {
  const record = { laneId: lane.laneId, attempt, outcome: 'answered', reachedUpstream: false, startedAt: now } as const;
  return { ok: true, record: { ...record, durationMs: 0, reason: 'was answered before' } };
}

async function serve(
  deps: ServeRequestDeps,
  input: ServeRequestInput,
  request: RequestDoc,
  sink: ReplySink | undefined,
): Promise<ServeResult> {
  const { lane, attempt, previous } = input;
  const tried = await tryLane(deps.host, deps.clock, {
    itemId: request._id,
    body: JSON.parse(request.body) as Record<string, unknown>,
    lane,
    attempt,
    priority: 'interactive',
    deadlineAt: input.deadlineAt,
    stream: request.stream && sink !== undefined,
    ...(sink === undefined ? {} : { callerGone: sink.callerGone }),
    onChunk: async (json) => {
      await sink?.send({ type: 'chunk', json, laneId: lane.laneId, laneAlias: lane.alias, attempts: attempt });
    },
  });
  const { outcome, record } = tried;
  if (outcome.ok) {
    const costs = costsOf(deps.costMicros, lane, outcome.usage);
    await persist(deps.log, () => storeAnswer(deps, input, request, tried, outcome, costs));
    const { ignoredParams } = outcome;
    await sink?.send({
      type: 'done',
      body: request.stream ? null : outcome.body,
      meta: { laneId: lane.laneId, laneAlias: lane.alias, attempts: attempt, ...costs, ignoredParams },
    });
    return { ok: true, record };
  }
  const { failure, callerAnswer } = outcome;
  if (failure.class === 'caller_fault') {
    const { status, body } = callerAnswer ?? ownAnswer(failure);
    await persist(deps.log, async () => {
      await deps.requests.storeResult(request._id, { status, body, laneId: lane.laneId, at: deps.clock.now() });
      const entry = logEntry(input, request, tried, deps.clock.now());
      await deps.laneLog.insertMissing([{ ...entry, status: 'failed', httpStatus: status }]);
    });
    await sink?.send({ type: 'failed', status, body, attempts: previous.length + 1 });
  }
  return { ok: false, record, failure };
}

async function storeAnswer(
  deps: ServeRequestDeps,
  input: ServeRequestInput,
  request: RequestDoc,
  tried: TriedLane,
  outcome: LaneOutcome & { ok: true },
  costs: Costs,
): Promise<void> {
  const at = deps.clock.now();
  const { laneId, alias } = input.lane;
  await deps.ledger.settle([
    {
      _id: attemptKey(request._id, input.attempt, Context.current().info.attempt),
      itemId: request._id,
      batchId: null,
      keyId: request.keyId,
      laneId,
      ...costs,
      at,
    },
  ]);
  await deps.requests.storeResult(request._id, { status: 200, body: outcome.body, laneId, at });
  const entry = logEntry(input, request, tried, at);
  await deps.laneLog.insertMissing([{ ...entry, laneAlias: alias, usage: outcome.usage, ...costs }]);
}

function logEntry(
  { lane, previous }: ServeRequestInput,
  request: RequestDoc,
  { record }: TriedLane,
  at: number,
): LaneLogDoc {
  return {
    _id: request._id,
    kind: 'request',
    keyId: request.keyId,
    batchId: null,
    model: request.model,
    status: 'answered',
    httpStatus: 200,
    laneId: lane.laneId,
    laneAlias: lane.alias,
    attempts: [...previous, record],
    usage: null,
    costMicros: 0,
    meterMicros: null,
    at,
  };
}
