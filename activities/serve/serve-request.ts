import { ApplicationFailure, Context } from '@temporalio/activity';
import type { Clock } from '../../core/clock.ts';
import type { ServeRequestInput, ServeResult } from '../../core/contracts/completion.ts';
import type { AttemptRecord } from '../../core/contracts/failure.ts';
import { attemptKey } from '../../core/contracts/ids.ts';
import type { TokenUsage } from '../../core/lane-port.ts';
import type { Logger } from '../../core/log.ts';
import type { ReplyChannel, ReplySink } from '../../core/reply.ts';
import { endOfResult } from '../../store/end-of-result.ts';
import { keepText } from '../../core/wire/written-text.ts';
import type { LaneLogStore } from '../../store/lane-log.ts';
import type { LedgerStore } from '../../store/ledger.ts';
import type { RequestDoc, RequestResult, RequestStore } from '../../store/requests.ts';
import { costsOf, type CostMicros, type Costs } from '../../lanes/prices/costs.ts';
import { costsOfUnanswered } from './costs-of-unanswered.ts';
import { entryOfResult } from './entry-of-result.ts';
import { keepResult } from './keep-result.ts';
import { requestEntry } from './request-entry.ts';
import { ownAnswer } from '../../core/failure-answer.ts';
import type { LaneHost } from '../../lanes/policy/hosted-lane.ts';
import { persist } from '../../core/persist.ts';
import type { LinePace } from './line-pace.ts';
import { cancelledWith, lostAttempts, recordOfAll } from './lost-attempts.ts';
import { tryLane } from './try-lane.ts';
import { notingUnsent } from './unsent-deliveries.ts';

export interface ServeRequestDeps {
  readonly host: LaneHost;
  readonly requests: RequestStore;
  readonly laneLog: LaneLogStore;
  readonly ledger: LedgerStore;
  readonly costMicros: CostMicros;
  readonly replies: ReplyChannel;
  readonly pace: Pick<LinePace, 'noteInteractive'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Tries an interactive request on one lane. The answer is stored before the caller has it; a second answer to the same
 * request is paid for in the ledger and dropped, and its sender passes on the one that is stored.
 */
export function createServeRequest(deps: ServeRequestDeps) {
  return async function serveRequest(input: ServeRequestInput): Promise<ServeResult> {
    deps.pace.noteInteractive();
    return notingUnsent(async (onSent) => {
      const request = await persist(deps.log, () => deps.requests.find(input.requestId));
      if (request === null) {
        throw ApplicationFailure.nonRetryable(`request ${input.requestId} is not in the database`, 'RequestMissing');
      }
      if (request.result !== null) return endedBefore(deps, input, request, request.result);
      const sink = request.replyTo === null ? undefined : deps.replies.open(request._id, request.replyTo);
      try {
        return await serve(deps, input, request, sink, onSent);
      } finally {
        await sink?.close();
      }
    });
  };
}

/**
 * A worker died between storing the result and saying so. The caller has it, or reads it from the database; what may be
 * missing is its entry in the lane log.
 */
async function endedBefore(
  deps: ServeRequestDeps,
  input: ServeRequestInput,
  request: RequestDoc,
  result: RequestResult,
): Promise<ServeResult> {
  await deps.laneLog.insertMissing([await entryOfResult(deps, request, result, input)]);
  const { laneId } = input.lane;
  const shared = { laneId, attempt: input.attempt, reachedUpstream: false, startedAt: deps.clock.now(), durationMs: 0 };
  const outcome = result.status === 200 ? 'answered' : 'caller_fault';
  return endedWith(result, { ...shared, outcome, reason: HAD_ITS_RESULT });
}

const HAD_ITS_RESULT = 'had its result before';

/** Nobody else is to be asked: the request has its result, though not of this attempt. */
function endedWith({ status }: RequestResult, record: AttemptRecord): ServeResult {
  if (status === 200) return { ok: true, record };
  const { reachedUpstream } = record;
  const failure = { class: 'caller_fault', answerStarted: false, reachedUpstream, reason: HAD_ITS_RESULT } as const;
  return { ok: false, record, failure };
}

async function serve(
  deps: ServeRequestDeps,
  input: ServeRequestInput,
  request: RequestDoc,
  sink: ReplySink | undefined,
  onSent: () => void,
): Promise<ServeResult> {
  const { lane, attempt, previous } = input;
  // Before the call: a lane that stops or is removed meanwhile is found no more, while its last answers still come.
  const costMicros = deps.host.find(lane.laneId)?.costMicros ?? deps.costMicros;
  const lostUntil = (startedAt: number): Promise<readonly AttemptRecord[]> => lostAttempts(deps, input, startedAt);
  const { outcome, record, billed } = await tryLane(deps.host, deps.clock, {
    itemId: request._id,
    operation: request.operation ?? 'chat',
    body: keepText(JSON.parse(request.body) as Record<string, unknown>, request.body),
    lane,
    attempt,
    priority: 'interactive',
    deadlineAt: input.deadlineAt,
    isLastLane: input.isLastLane ?? false,
    ...(input.drill === undefined ? {} : { drill: input.drill }),
    stream: request.stream && sink !== undefined,
    onSent,
    ...(sink === undefined || request.outlivesCaller === true ? {} : { callerGone: sink.callerGone }),
    onChunk: async (json) => {
      await sink?.send({ type: 'chunk', json, laneId: lane.laneId, laneAlias: lane.alias, attempts: attempt });
    },
  }).catch(async (error: unknown) => {
    throw await cancelledWith(error, lostUntil);
  });
  const paid = billed === undefined ? undefined : costsOf(costMicros, lane, billed.usage);
  if (paid !== undefined) await persist(deps.log, () => settle(deps, input, request, paid));
  const lost = await lostUntil(record.startedAt);
  const made = [...previous, ...lost, record];
  const findCosts = async (): Promise<Costs> =>
    paid ?? persist(deps.log, () => costsOfUnanswered(deps, request._id, made));
  const usage = billed?.usage ?? null;
  if (outcome.ok) {
    const costs = await findCosts();
    const { ignoredParams } = outcome;
    const meta = { laneId: lane.laneId, laneAlias: lane.alias, attempts: attempt, ...costs, ignoredParams };
    const result = {
      status: 200,
      body: outcome.body,
      laneId: lane.laneId,
      at: deps.clock.now(),
      attempts: attempt,
      meta,
    };
    const standing = await persist(deps.log, () => storeEnd(deps, input, request, { made, usage, result, costs }));
    if (standing !== result) return passOn(deps, standing, sink, record);
    await sink?.send({ type: 'done', body: request.stream ? null : outcome.body, meta });
    return { ok: true, record };
  }
  const { failure, callerAnswer } = outcome;
  if (failure.class === 'caller_fault') {
    const { status, body } = callerAnswer ?? ownAnswer(failure);
    // Billed work is not sent again by a client of its own accord.
    const hints = billed === undefined ? {} : { shouldRetry: false };
    const attempts = previous.length + 1;
    const costs = await findCosts();
    const result = { status, body, laneId: lane.laneId, at: deps.clock.now(), attempts, ...hints };
    const standing = await persist(deps.log, () => storeEnd(deps, input, request, { made, usage, result, costs }));
    if (standing !== result) return passOn(deps, standing, sink, record);
    await sink?.send({ type: 'failed', status, body, attempts, ...hints });
  }
  return { ok: false, record: recordOfAll(record, lost), failure };
}

/**
 * Sends what another delivery, or another attempt, has stored meanwhile: it was taken for dead, and went on. Always with its body,
 * so that a caller who has chunks of the dropped answer is told that it broke off.
 */
async function passOn(
  { clock }: ServeRequestDeps,
  standing: RequestResult,
  sink: ReplySink | undefined,
  record: AttemptRecord,
): Promise<ServeResult> {
  await sink?.send(endOfResult(standing, clock.now()));
  return endedWith(standing, record);
}

/** What was paid, before anything else is stored. */
async function settle(deps: ServeRequestDeps, input: ServeRequestInput, request: RequestDoc, costs: Costs) {
  await deps.ledger.settle([
    {
      _id: attemptKey(request._id, input.attempt, Context.current().info.attempt),
      itemId: request._id,
      batchId: null,
      keyId: request.keyId,
      laneId: input.lane.laneId,
      ...costs,
      at: deps.clock.now(),
    },
  ]);
}

interface RequestEnd {
  /** All attempts, this one included. */
  readonly made: readonly AttemptRecord[];
  readonly usage: TokenUsage | null;
  readonly result: RequestResult;
  readonly costs: Costs;
}

/** What the caller gets, and then its entry in the lane log. Returns the result that stands. */
async function storeEnd(
  deps: ServeRequestDeps,
  input: ServeRequestInput,
  request: RequestDoc,
  { made, usage, result, costs }: RequestEnd,
): Promise<RequestResult> {
  const { requests, laneLog } = deps;
  const { lane } = input;
  const standing = await keepResult(requests, request._id, result);
  if (standing !== result) {
    await laneLog.insertMissing([await entryOfResult(deps, request, standing, input)]);
    return standing;
  }
  await laneLog.insertMissing([
    requestEntry(request, {
      httpStatus: result.status,
      laneId: lane.laneId,
      laneAlias: lane.alias,
      attempts: made,
      usage,
      costs,
      at: result.at,
    }),
  ]);
  return result;
}
