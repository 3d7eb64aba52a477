import type { Clock } from '../../core/clock.ts';
import { ATTEMPT_DEADLINE_MS } from '../../core/contracts/timings.ts';
import type { Lane, LaneCall, LaneOutcome } from '../../core/lane-port.ts';
import type { PlanModel } from './account-reads.ts';
import { failedOutcome } from './classify-failure.ts';
import type { CodexProcess } from './codex-process.ts';
import { exhaustedUntil, type PlanWindows } from './plan-windows.ts';
import { planTurn, type PlannedTurn } from './plan-turn.ts';
import { isRefusal, type Refusal } from './refusal.ts';
import { runTurn, type TurnResult } from './run-turn.ts';
import type { SignInCheck } from './sign-in-check.ts';

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
  readonly signInCheck: Pick<SignInCheck, 'begin'>;
}

/** The plan lane of one account. */
export function createCodexLane(deps: CodexLaneDeps): Lane {
  let inFlight = 0;

  const serve = async (call: LaneCall): Promise<LaneOutcome> => {
    const plan = planTurn(call, deps.models(), deps.clock.now());
    if (isRefusal(plan)) return refusedOutcome(plan);
    if ('class' in plan) return failedOutcome(plan, UNTOUCHED);
    const process = await deps.process(Math.min(PROCESS_WAIT_MS, call.deadlineAt - deps.clock.now()));
    if (process === undefined) return unavailable('the Codex process is not running');
    const signIn = deps.signInCheck.begin();
    const result = await run(process, call, plan);
    if (result.ok) {
      signIn.answered();
      return { ok: true, body: result.body, usage: result.usage, ignoredParams: plan.request.ignoredParams };
    }
    if (result.failure.class === 'unauthorized') {
      await signIn.refused();
      // With fresh tokens the account is signed in: this request goes on elsewhere, and the lane stays open.
      if (deps.closedBecause() === undefined) return refreshed(result);
    }
    const until =
      result.failure.class === 'window_exhausted'
        ? { unavailableUntil: exhaustedUntil(deps.windows(), deps.clock.now()) }
        : {};
    const { answerStarted, reachedUpstream } = result;
    return failedOutcome(result.failure, { answerStarted, reachedUpstream, ...until });
  };

  const run = (process: CodexProcess, call: LaneCall, plan: PlannedTurn): Promise<TurnResult> => {
    const now = deps.clock.now();
    return runTurn(process, {
      model: call.model,
      request: plan.request,
      answer: plan.answer,
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

function unavailable(reason: string): LaneOutcome {
  return failedOutcome({ class: 'lane_unavailable', reason }, UNTOUCHED);
}

/** A turn that begins now and is refused as well ends in `needs_login`, so this can not go round in circles. */
function refreshed({ answerStarted, reachedUpstream }: TurnResult & { ok: false }): LaneOutcome {
  const reason = 'the sign-in was refused, and has been refreshed';
  return failedOutcome({ class: 'lane_unavailable', reason, upstreamStatus: 401 }, { answerStarted, reachedUpstream });
}

function refusedOutcome(refusal: Refusal): LaneOutcome {
  const { class: refusedAs, reason, error } = refusal;
  const param = error.param === null ? {} : { param: error.param };
  return failedOutcome({ class: refusedAs, reason, callerError: error, ...param }, UNTOUCHED);
}
