import type { FailureClass } from '../../core/contracts/failure.ts';
import type { LaneState } from '../../core/contracts/lane.ts';

/**
 * Which signal does what to a lane and to a request, as it is promised to owners. The table tests of the policy go through
 * these rows, and the tests against the real parts must provoke each of them: both are keyed by the rows' names.
 */
export interface SignalRow {
  readonly class: FailureClass;
  /** The lane's state after so many of these in a row; null: the lane stays as it is. */
  readonly lane: { readonly to: LaneState; readonly after: number } | null;
  /** What the request does after the first and after the second of them on one lane. */
  readonly request: readonly [first: 'again' | 'next' | 'fail', second: 'again' | 'next' | 'fail'];
}

export interface PlanSignalRow extends SignalRow {
  /** `codexErrorInfo` of the turn, and the HTTP status that comes with it. */
  readonly error?: readonly [name: string, httpStatus?: number];
  /** The status and code that the caller gets where no other lane serves it. */
  readonly caller: readonly [status: number, code: string | null];
}

const COOLS = { lane: { to: 'cooling', after: 1 }, request: ['next', 'next'] } as const;
const BACKS_OFF = { lane: { to: 'unhealthy', after: 2 }, request: ['again', 'next'] } as const;
const BREAKS = { lane: { to: 'unhealthy', after: 5 }, request: ['again', 'next'] } as const;
const IS_THE_CALLERS = { class: 'caller_fault', lane: null, request: ['fail', 'fail'] } as const;

export const PLAN_SIGNALS = {
  usageLimitExceeded: {
    class: 'window_exhausted',
    error: ['usageLimitExceeded'],
    ...COOLS,
    caller: [429, 'usage_limit_reached'],
  },
  rateLimitExceeded: {
    class: 'rate_limited',
    error: ['rateLimitExceeded'],
    ...BACKS_OFF,
    caller: [429, 'rate_limit_exceeded'],
  },
  serverOverloaded: {
    class: 'overloaded',
    error: ['serverOverloaded'],
    ...BACKS_OFF,
    caller: [503, 'server_is_overloaded'],
  },
  flexUnavailable: {
    class: 'overloaded',
    error: ['flexUnavailable'],
    ...BACKS_OFF,
    caller: [503, 'server_is_overloaded'],
  },
  'responseTooManyFailedAttempts with 429': {
    class: 'rate_limited',
    error: ['responseTooManyFailedAttempts', 429],
    ...BACKS_OFF,
    caller: [429, 'rate_limit_exceeded'],
  },
  unauthorized: {
    class: 'unauthorized',
    error: ['unauthorized'],
    lane: { to: 'needs_login', after: 1 },
    request: ['next', 'next'],
    caller: [502, null],
  },
  'httpConnectionFailed with 401': {
    class: 'unauthorized',
    error: ['httpConnectionFailed', 401],
    lane: { to: 'needs_login', after: 1 },
    request: ['next', 'next'],
    caller: [502, null],
  },
  modelNotFound: {
    class: 'model_unavailable',
    error: ['modelNotFound'],
    lane: null,
    request: ['next', 'next'],
    caller: [404, 'model_not_found'],
  },
  contextWindowExceeded: {
    ...IS_THE_CALLERS,
    error: ['contextWindowExceeded'],
    caller: [400, 'context_length_exceeded'],
  },
  badRequest: { ...IS_THE_CALLERS, error: ['badRequest'], caller: [400, null] },
  cyberPolicy: { ...IS_THE_CALLERS, error: ['cyberPolicy'], caller: [400, 'content_policy_violation'] },
  misalignmentPolicyViolation: {
    ...IS_THE_CALLERS,
    error: ['misalignmentPolicyViolation'],
    caller: [400, 'content_policy_violation'],
  },
  other: { class: 'broken', error: ['other'], ...BREAKS, caller: [502, null] },
  responseStreamDisconnected: {
    class: 'broken',
    error: ['responseStreamDisconnected'],
    ...BREAKS,
    caller: [502, null],
  },
  /** A turn that says nothing until its deadline. */
  idle: { class: 'broken', ...BREAKS, caller: [502, null] },
  'process exit': { class: 'process_lost', ...BREAKS, caller: [502, null] },
  /** JSON-RPC -32001, the CLI's own sign that it has too much to do. */
  'the CLI is too busy': { class: 'overloaded', ...BACKS_OFF, caller: [503, 'server_is_overloaded'] },
} as const satisfies Record<string, PlanSignalRow>;

export type PlanSignal = keyof typeof PLAN_SIGNALS;

export interface KeySignalRow extends SignalRow {
  /** The provider's answer; absent where it is none. */
  readonly response?: {
    readonly status: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly error?: Readonly<Record<string, string | null>>;
  };
}

export const KEY_SIGNALS = {
  '429 with insufficient_quota': {
    class: 'window_exhausted',
    response: { status: 429, error: { code: 'insufficient_quota' } },
    ...COOLS,
  },
  '429 with a long retry-after': {
    class: 'rate_limited',
    response: { status: 429, headers: { 'retry-after': '30' } },
    ...COOLS,
  },
  '429 with a short retry-after': {
    class: 'rate_limited',
    response: { status: 429, headers: { 'retry-after-ms': '400' } },
    ...BACKS_OFF,
  },
  '429 without a time': { class: 'rate_limited', response: { status: 429 }, ...BACKS_OFF },
  '408': { class: 'broken', response: { status: 408 }, ...BREAKS },
  '409': { class: 'broken', response: { status: 409 }, ...BREAKS },
  '500': { class: 'broken', response: { status: 500 }, ...BREAKS },
  '502': { class: 'broken', response: { status: 502 }, ...BREAKS },
  'connection refused': { class: 'broken', ...BREAKS },
  'connection reset': { class: 'broken', ...BREAKS },
  /** The deadline of the attempt. */
  'no byte in time': { class: 'broken', ...BREAKS },
  '401': {
    class: 'unauthorized',
    response: { status: 401, error: { code: 'invalid_api_key' } },
    lane: { to: 'needs_key', after: 1 },
    request: ['next', 'next'],
  },
  '403': {
    class: 'unauthorized',
    response: { status: 403, error: { code: null } },
    lane: { to: 'needs_key', after: 1 },
    request: ['next', 'next'],
  },
  'another 4xx': { ...IS_THE_CALLERS, response: { status: 422, error: { code: null } } },
  '200 with an error body': { class: 'broken', ...BREAKS },
  '200 with HTML': { class: 'broken', ...BREAKS },
  '200 with a broken body': { class: 'broken', ...BREAKS },
  '200 with an endless body': { class: 'broken', ...BREAKS },
} as const satisfies Record<string, KeySignalRow>;

export type KeySignal = keyof typeof KEY_SIGNALS;
