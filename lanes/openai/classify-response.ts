import type { AttemptFailure, FailureClass } from '../../core/contracts/failure.ts';
import { HOLD_WITHOUT_RESET_MS } from '../../core/contracts/timings.ts';
import { ApiError } from '../../core/errors.ts';
import type { Operation } from '../../core/lane-port.ts';
import { isJsonObject, parseJson, type JsonObject } from '../../core/wire/json-object.ts';
import { readRetryAfter, type ResponseHeaders } from './retry-after.ts';

/** An answer of a provider with another status than 200. */
export interface RefusedResponse {
  /** Which endpoint was asked; `chat`, which every provider has, where it is left out. */
  readonly operation?: Operation;
  readonly status: number;
  readonly headers: ResponseHeaders;
  /** The body's text; empty where there was none, or where it was past the limit for error bodies. */
  readonly body: string;
  /** Unix milliseconds. */
  readonly now: number;
}

export interface Classified {
  readonly failure: Pick<AttemptFailure, 'class' | 'unavailableUntil' | 'upstreamStatus' | 'reason'>;
  readonly callerAnswer?: { readonly status: number; readonly body: string };
  /** The provider will say so again tomorrow. A page of HTML is of something in between, and may be gone in a minute. */
  readonly endpointIsMissing?: boolean;
}

/** Codes with which providers say that the money or the quota is used up, and not the pace too fast. */
export const QUOTA_CODES: ReadonlySet<string> = new Set([
  'insufficient_quota',
  'billing_hard_limit_reached',
  'billing_not_active',
]);
export const CONTENT_CODES: ReadonlySet<string> = new Set([
  'content_policy_violation',
  'content_filter',
  'moderation_blocked',
]);
export const OVERLOAD_CODES: ReadonlySet<string> = new Set(['server_is_overloaded', 'overloaded_error', 'overloaded']);

/**
 * What a refusal of a provider means, after the table "Failures of a key lane". Pure.
 * The unknown goes where it harms least: an odd 4xx never harms the lane, an odd 5xx is `broken` and tried once more.
 */
export function classifyResponse(response: RefusedResponse): Classified {
  const { status, headers, now } = response;
  const parsed = parseJson(response.body);
  const error = isJsonObject(parsed) && isJsonObject(parsed['error']) ? parsed['error'] : {};
  const says = (codes: ReadonlySet<string>): boolean =>
    [error['code'], error['type']].some((code) => typeof code === 'string' && codes.has(code));
  const failed = (failureClass: FailureClass, reason: string, unavailableUntil?: number): Classified => ({
    failure: {
      class: failureClass,
      upstreamStatus: status,
      reason,
      ...(unavailableUntil === undefined ? {} : { unavailableUntil }),
    },
  });
  const told = (failureClass: 'caller_fault' | 'model_unavailable', reason: string): Classified => ({
    ...failed(failureClass, reason),
    callerAnswer: { status, body: isJsonObject(parsed) ? response.body : ownBody(status) },
  });

  if (status >= 200 && status < 400) {
    const redirect = status >= 300;
    return failed('broken', redirect ? 'the provider redirects, which is not followed' : `no answer with ${status}`);
  }
  if (lacksEndpoint(response, error)) {
    const missing = failed('unsupported', 'the provider does not have this endpoint');
    return { ...missing, endpointIsMissing: !response.body.trimStart().startsWith('<') };
  }
  switch (status) {
    case 401:
      return failed('unauthorized', 'the provider does not accept the key');
    case 402:
      return failed('window_exhausted', 'the credits at the provider are used up', now + HOLD_WITHOUT_RESET_MS);
    case 403:
      if (error['code'] === 'model_not_found') return told('model_unavailable', 'the key has no access to the model');
      if (says(CONTENT_CODES) || isModeration(error)) return told('caller_fault', 'refused by the content policy');
      if (!isJsonObject(parsed)) return failed('broken', 'a 403 that is not the API’s: something stands in between');
      return failed('unauthorized', 'the provider does not let the key do this');
    case 404:
      if (!isJsonObject(parsed)) return failed('broken', 'a 404 that is not the API’s: is the base URL right?');
      // An item that the provider can't find, say: the caller's own.
      if (typeof error['param'] === 'string' && error['param'].startsWith('input'))
        return told('caller_fault', 'the provider refused the input with 404');
      return told('model_unavailable', 'the provider does not have the model');
    case 408:
    case 409:
      return failed('broken', `the provider answered ${status}`);
    case 429:
      return says(QUOTA_CODES)
        ? failed('window_exhausted', 'the quota at the provider is used up', now + HOLD_WITHOUT_RESET_MS)
        : failed('rate_limited', 'the provider limits the rate', readRetryAfter(headers, now));
    case 503:
    case 529:
      return failed('overloaded', 'the provider is overloaded', readRetryAfter(headers, now));
    default:
      if (status < 500) return told('caller_fault', `the provider refused the request with ${status}`);
      return says(OVERLOAD_CODES)
        ? failed('overloaded', 'the provider is overloaded', readRetryAfter(headers, now))
        : failed('broken', `the provider answered ${status}`);
  }
}

/** Providers without `/responses` or `/embeddings` say 404 (or 405, 501) and name neither a model nor a parameter. */
function lacksEndpoint({ operation = 'chat', status }: RefusedResponse, error: JsonObject): boolean {
  if (operation === 'chat' || ![404, 405, 501].includes(status)) return false;
  const { code, message } = error;
  const namesModel = code === 'model_not_found' || (typeof message === 'string' && /model/i.test(message));
  return !namesModel && (error['param'] ?? null) === null;
}

/** OpenRouter's 403 for an input that its moderation flagged: the caller's content, not the lane's key. */
function isModeration(error: JsonObject): boolean {
  return isJsonObject(error['metadata']) && Array.isArray(error['metadata']['reasons']);
}

/** For a refusal without a JSON body: clients must not get a proxy's HTML page as an API error. */
function ownBody(status: number): string {
  const tooLarge = status === 413;
  const message = tooLarge
    ? 'The request is too large for the provider.'
    : `The provider refused the request (${status}).`;
  return JSON.stringify(new ApiError(tooLarge ? 'request_too_large' : 'invalid_request', message).body);
}
