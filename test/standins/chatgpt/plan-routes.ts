import type { ServerResponse } from 'node:http';
import { sendJson } from '../http-exchange.ts';
import type { Account, PlanState, PlanWindow } from './account.ts';

/** Answers what the CLI asks about the account itself; false when the path is for somebody else. */
export function answerPlanRoute(account: Account, response: ServerResponse, path: string): boolean {
  const plan = account.plan();
  if (path === '/backend-api/wham/accounts/check') sendJson(response, 200, accountsCheck(account, plan));
  else if (path === '/backend-api/wham/usage') sendJson(response, 200, usage(account, plan));
  // An empty list leaves the CLI with the models that it was built with.
  else if (path === '/backend-api/codex/models') sendJson(response, 200, { models: [] });
  else return false;
  return true;
}

function accountsCheck(account: Account, plan: PlanState): object {
  const entry = {
    id: account.id,
    name: null,
    plan_type: plan.planType,
    structure: 'personal',
    profile_picture_url: null,
    workspace_backend_origin: 'NO_CONSTRAINT',
    account_routing_override: 'NO_CONSTRAINT',
  };
  return { accounts: [entry], account_ordering: [account.id], default_account_id: account.id };
}

function usage(account: Account, plan: PlanState): object {
  return {
    account_id: account.id,
    user_id: `user-${account.alias}`,
    email: account.email,
    plan_type: plan.planType,
    rate_limit: {
      allowed: !plan.exhausted,
      limit_reached: plan.exhausted,
      primary_window: usageWindow(plan.primary),
      secondary_window: plan.secondary === undefined ? null : usageWindow(plan.secondary),
    },
  };
}

function usageWindow(window: PlanWindow): object {
  return {
    used_percent: Math.round(window.usedPercent),
    limit_window_seconds: window.minutes * 60,
    reset_after_seconds: Math.max(0, window.resetsAt - Math.floor(Date.now() / 1000)),
    reset_at: window.resetsAt,
  };
}

/** The windows as response headers. */
export function planHeaders(plan: PlanState): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, window] of [
    ['primary', plan.primary],
    ['secondary', plan.secondary],
  ] as const) {
    if (window === undefined) continue;
    headers[`x-codex-${name}-used-percent`] = String(window.usedPercent);
    headers[`x-codex-${name}-window-minutes`] = String(window.minutes);
    headers[`x-codex-${name}-reset-at`] = String(window.resetsAt);
  }
  return headers;
}

/** The windows as the event that stands in for the headers on a WebSocket. */
export function planEvent(plan: PlanState): { readonly type: string } & Record<string, unknown> {
  const window = (one: PlanWindow | undefined): object | null =>
    one === undefined ? null : { used_percent: one.usedPercent, window_minutes: one.minutes, reset_at: one.resetsAt };
  return {
    type: 'codex.rate_limits',
    plan_type: plan.planType,
    rate_limits: { primary: window(plan.primary), secondary: window(plan.secondary) },
  };
}
