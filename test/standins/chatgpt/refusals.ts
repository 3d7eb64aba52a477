import type { Failure } from '../magic-words.ts';
import type { PlanState } from './account.ts';
import { planHeaders } from './plan-routes.ts';

/** A model call that is turned down before its first event. */
export interface Refusal {
  readonly status: number;
  readonly error: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;
}

/** The end of a plan window, as the real backend says it. */
export function usageLimitRefusal(plan: PlanState): Refusal {
  return {
    status: 429,
    error: {
      type: 'usage_limit_reached',
      message: 'The usage limit has been reached',
      plan_type: plan.planType,
      resets_at: plan.primary.resetsAt,
      resets_in_seconds: Math.max(0, plan.primary.resetsAt - Math.floor(Date.now() / 1000)),
    },
    headers: planHeaders({ ...plan, primary: { ...plan.primary, usedPercent: 100 } }),
  };
}

export function unauthorizedRefusal(): Refusal {
  const message = 'Provided authentication token is expired. Please try signing in again.';
  return { status: 401, error: { type: 'invalid_request_error', code: 'token_expired', message }, headers: {} };
}

export function unknownModelRefusal(model: string): Refusal {
  const message = `The model '${model}' does not exist or you do not have access to it.`;
  return { status: 404, error: { type: 'invalid_request_error', code: 'model_not_found', message }, headers: {} };
}

/** The refusal that a failure word asks for; undefined for words that fail later, or not on this wire. */
export function refusalOf(
  failure: Failure | undefined,
  plan: PlanState,
  retryAfterSeconds: number | undefined,
): Refusal | undefined {
  if (failure?.kind === 'limit') return usageLimitRefusal(plan);
  if (failure?.kind === 'policy') {
    const message = 'This request has been flagged for possible cybersecurity risk.';
    return { status: 400, error: { type: 'invalid_request_error', code: 'cyber_policy', message }, headers: {} };
  }
  if (failure?.kind !== 'status') return undefined;
  if (failure.status === 401) return unauthorizedRefusal();
  const code = { 429: 'rate_limit_exceeded', 503: 'server_is_overloaded' }[failure.status] ?? 'stand_in';
  return {
    status: failure.status,
    error: { type: failure.status < 500 ? 'invalid_request_error' : 'server_error', code, message: 'As scripted.' },
    headers: retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) },
  };
}
