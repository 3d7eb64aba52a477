import { randomBytes } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { toUnixSeconds } from '../../core/clock.ts';
import { ATTEMPT_DEADLINE_MS } from '../../core/contracts/timings.ts';
import { ApiError } from '../../core/errors.ts';
import type { Lane, LaneCall, LaneOutcome } from '../../core/lane-port.ts';
import { chatRequestSchema } from '../../core/wire/chat-request.ts';
import type { PlanModel } from './account-reads.ts';
import { failedOutcome, type TurnFailure } from './classify-failure.ts';
import type { CodexProcess } from './codex-process.ts';
import { exhaustedUntil, type PlanWindows } from './plan-windows.ts';
import { isRefusal, type Refusal } from './refusal.ts';
import { runTurn, type TurnResult } from './run-turn.ts';
import { createAnswer } from './translate-answer.ts';
import { translateRequest, type TurnRequest } from './translate-request.ts';

/** A process that was lost is back within half a second; one that is not within this time is not coming soon. */
const PROCESS_WAIT_MS = 5_000;

/** Nothing of the plan was touched, and the caller has seen nothing. */
const UNTOUCHED = { answerStarted: false, reachedUpstream: false };

export interface CodexLaneDeps {
  readonly maxInFlight: number;
  readonly workDir: string;
  readonly clock: Clock;
  /** Why the lane takes nothing now, in our own words; undefined when it is open. */
  readonly closedBecause: () => string | undefined;
  readonly process: (waitMs: number) => Promise<CodexProcess | undefined>;
  readonly models: () => readonly PlanModel[];
  readonly windows: () => PlanWindows;
  readonly onAnswered: () => void;
  /** The sign-in was refused. Resolves when it has been looked into. */
  readonly onUnauthorized: () => Promise<void>;
}

/** The plan lane of one account. */
export function createCodexLane(deps: CodexLaneDeps): Lane {
  let inFlight = 0;

  const serve = async (call: LaneCall): Promise<LaneOutcome> => {
    const plan = planTurn(call, deps.models());
    if (isRefusal(plan)) return refusedOutcome(plan);
    if ('class' in plan) return failedOutcome(plan, UNTOUCHED);
    const process = await deps.process(Math.min(PROCESS_WAIT_MS, call.deadlineAt - deps.clock.now()));
    if (process === undefined) return unavailable('the Codex process is not running');
    const result = await run(process, call, plan);
    if (result.ok) {
      deps.onAnswered();
      return { ok: true, body: result.body, usage: result.usage, ignoredParams: plan.request.ignoredParams };
    }
    if (result.failure.class === 'unauthorized') await deps.onUnauthorized();
    const until =
      result.failure.class === 'window_exhausted'
        ? { unavailableUntil: exhaustedUntil(deps.windows(), deps.clock.now()) }
        : {};
    const { answerStarted, reachedUpstream } = result;
    return failedOutcome(result.failure, { answerStarted, reachedUpstream, ...until });
  };

  const run = (process: CodexProcess, call: LaneCall, plan: PlannedTurn): Promise<TurnResult> => {
    const now = deps.clock.now();
    const answer = createAnswer({
      id: `chatcmpl-${randomBytes(16).toString('hex')}`,
      created: toUnixSeconds(now),
      model: call.model,
      includeUsage: plan.includeUsage,
      toolNames: new Set(plan.request.dynamicTools.map((tool) => tool.name)),
      parallelToolCalls: plan.request.parallelToolCalls,
      json: plan.request.json,
    });
    return runTurn(process, {
      model: call.model,
      request: plan.request,
      answer,
      workDir: deps.workDir,
      remainingMs: Math.min(call.deadlineAt - now, ATTEMPT_DEADLINE_MS),
      signal: call.signal,
      onChunk: call.stream ? (chunk) => call.onChunk(chunk) : undefined,
    });
  };

  return {
    async complete(call) {
      const closed = deps.closedBecause();
      if (closed !== undefined) return unavailable(closed);
      if (call.signal.aborted) {
        return failedOutcome({ class: 'cancelled', reason: 'the caller does not wait any more' }, UNTOUCHED);
      }
      if (inFlight >= deps.maxInFlight) return unavailable('the lane serves as many requests as it may at a time');
      inFlight += 1;
      try {
        return await serve(call);
      } finally {
        inFlight -= 1;
      }
    },
  };
}

interface PlannedTurn {
  readonly request: TurnRequest;
  readonly includeUsage: boolean;
}

function planTurn(call: LaneCall, models: readonly PlanModel[]): PlannedTurn | TurnFailure | Refusal {
  const model = models.find((known) => known.slug === call.model);
  // For a model out of the catalogue the CLI takes metadata of its own, with limits and tools that nobody has tested.
  if (model === undefined) {
    return {
      class: 'model_unavailable',
      reason: "the model is not in the Codex CLI's catalogue",
      callerError: new ApiError('model_not_found', 'The model does not exist or you do not have access to it.', {
        param: 'model',
      }),
    };
  }
  const body = chatRequestSchema.safeParse(call.body);
  if (!body.success) {
    const param = body.error.issues[0]?.path.join('.');
    return {
      class: 'caller_fault',
      reason: 'the body is no chat completion request',
      callerError: new ApiError('invalid_request', 'The request is invalid.', { param }),
    };
  }
  const request = translateRequest(body.data, model.efforts.length > 0 ? model.efforts : undefined);
  if (isRefusal(request)) return request;
  return { request, includeUsage: body.data.stream_options?.include_usage === true };
}

function unavailable(reason: string): LaneOutcome {
  return failedOutcome({ class: 'lane_unavailable', reason }, UNTOUCHED);
}

function refusedOutcome(refusal: Refusal): LaneOutcome {
  return failedOutcome({ class: refusal.class, reason: refusal.reason, callerError: refusal.error }, UNTOUCHED);
}
