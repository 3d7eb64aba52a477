import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../core/clock.ts';
import type { ServeResult } from '../../core/contracts/completion.ts';
import { drilledSignal } from '../../core/contracts/drill.ts';
import type { AttemptRecord } from '../../core/contracts/failure.ts';
import { attemptKey } from '../../core/contracts/ids.ts';
import type { PlannedLane } from '../../core/contracts/lane.ts';
import { runPlan } from '../../core/contracts/run-plan.ts';
import { COMPLETION_DEADLINE_MS } from '../../core/contracts/timings.ts';
import { ApiError } from '../../core/errors.ts';
import { failureAnswer, ownAnswer } from '../../core/failure-answer.ts';
import type { ReplyEnd } from '../../core/reply.ts';
import { attemptLane, recordOf } from '../../lanes/policy/attempt-lane.ts';
import type { LaneHost } from '../../lanes/policy/hosted-lane.ts';
import { costsOf, type CostMicros } from '../../lanes/prices/costs.ts';
import { CallerGone, type CompletionCall } from '../completions/run-completion.ts';
import type { UnderWay } from '../under-way.ts';
import { failedEntry, servedEntry } from './direct-entry.ts';
import type { WriteBehind } from './write-behind.ts';

export interface RunDirectDeps {
  readonly host: LaneHost;
  readonly books: Pick<WriteBehind, 'add' | 'admit'>;
  readonly costMicros: CostMicros;
  readonly underWay: Pick<UnderWay, 'add'>;
  readonly clock: Clock;
}

/**
 * Serves one completion in this process, without a workflow: the fallback, the lane log, the ledger and the headers of
 * the durable path, and nothing between the caller and the lane. It ends with this process, as the caller's connection does.
 */
export function createRunDirect(deps: RunDirectDeps) {
  const { books, clock } = deps;
  return async function runDirect(call: CompletionCall): Promise<ReplyEnd> {
    const { requestId, keyId, model, plan, signal } = call;
    if (signal.aborted) throw new CallerGone();
    const admitted = books.admit();
    // The pause is short, and costs a request only where the database is the slower one.
    if (admitted !== true && !(await admitted)) {
      throw new ApiError('server_is_overloaded', 'The request could not be taken in: the database does not answer.', {
        retryAfterMs: 1_000,
      });
    }
    const deadlineAt = clock.now() + COMPLETION_DEADLINE_MS;
    let end: ReplyEnd | undefined;
    const run = await runPlan({
      plan,
      deadlineAt,
      now: () => clock.now(),
      // A caller who leaves meanwhile is noticed by the next attempt, which then does not begin.
      pause: (ms) => sleep(ms, undefined, { signal }).catch(() => undefined),
      serve: async (lane, previous, isLastLane) => {
        const served = await serveOn(deps, call, lane, { previous, deadlineAt, isLastLane });
        ({ end } = served);
        return served.result;
      },
    });
    if (end !== undefined) return end;

    const { attempts } = run;
    const facts = { requestId, keyId, model, attempts, at: clock.now() };
    if (signal.aborted || run.answered || run.told === undefined) {
      books.add(failedEntry(facts, null, null));
      throw new CallerGone();
    }
    const { failure, resetsAt } = run.told;
    const { status, body, retryAfterMs, shouldRetry } = failureAnswer(failure.class, failure, resetsAt);
    books.add(failedEntry(facts, status, null));
    return {
      type: 'failed',
      status,
      body: JSON.stringify(body),
      attempts: attempts.length,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(shouldRetry === undefined ? {} : { shouldRetry }),
    };
  };
}

/** Where an attempt stands in its request. */
interface AttemptPlace {
  readonly previous: readonly AttemptRecord[];
  /** Unix milliseconds. */
  readonly deadlineAt: number;
  readonly isLastLane: boolean;
}

/** One attempt, and its entry in the books where it ends the request. */
async function serveOn(
  deps: RunDirectDeps,
  call: CompletionCall,
  lane: PlannedLane,
  { previous, deadlineAt, isLastLane }: AttemptPlace,
): Promise<{ result: ServeResult; end?: ReplyEnd }> {
  const { host, books, underWay, clock } = deps;
  const { requestId, keyId, model, operation, stream } = call;
  const { laneId, alias: laneAlias } = lane;
  // Before the call: a lane that ends or is changed meanwhile is found no more, while its last answers still come.
  const costMicros = host.find(laneId)?.costMicros ?? deps.costMicros;
  const attempt = previous.length + 1;
  const startedAt = clock.now();
  const drill = drilledSignal(call.drill, laneId, attempt);
  const tried = drill === undefined ? {} : { drill };
  const outcome = await attemptLane(
    host,
    clock,
    {
      itemId: requestId,
      operation,
      body: call.body as Readonly<Record<string, unknown>>,
      lane,
      attempt,
      priority: 'interactive',
      deadlineAt,
      isLastLane,
      stream,
      ...tried,
      onChunk: async (json) => void (await call.onChunk({ type: 'chunk', json, laneId, laneAlias, attempts: attempt })),
      // While the database is away the lane's new state waits for it, and what is paid must be in the journal before that.
      onReport: (reporting) => underWay.add(reporting),
    },
    call.signal,
  );
  const at = clock.now();
  const record = recordOf({ lane, attempt, ...tried }, outcome, startedAt, at);
  const facts = { requestId, keyId, model, attempts: [...previous, record], at };
  if (outcome.ok) {
    const { usage, ignoredParams } = outcome;
    const costs = costsOf(costMicros, lane, usage);
    books.add(servedEntry(facts, { lane, usage, costs, ledgerKey: attemptKey(requestId, attempt, 1) }));
    const meta = { laneId, laneAlias, attempts: attempt, ...costs, ignoredParams };
    return { result: { ok: true, record }, end: { type: 'done', body: stream ? null : outcome.body, meta } };
  }
  const { failure, callerAnswer } = outcome;
  const result = { ok: false, record, failure } as const;
  if (failure.class !== 'caller_fault') return { result };
  const { status, body } = callerAnswer ?? ownAnswer(failure);
  books.add(failedEntry(facts, status, lane));
  return { result, end: { type: 'failed', status, body, attempts: attempt } };
}
