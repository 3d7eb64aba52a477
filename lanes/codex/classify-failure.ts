import type { AttemptFailure, FailureClass } from '../../core/contracts/failure.ts';
import { ApiError } from '../../core/errors.ts';
import type { LaneOutcome } from '../../core/lane-port.ts';
import type { FinishReason } from '../../core/wire/chat-answer.ts';
import type { TurnError } from './turn-events.ts';

/** What a failed turn means. The CLI's own words decide nothing but the class, and never leave. */
export interface TurnFailure {
  readonly class: FailureClass;
  readonly reason: string;
  readonly upstreamStatus?: number;
  /** The request's parameter that is at fault. */
  readonly param?: string;
  /** The process that died with the request. */
  readonly lostProcess?: number;
  /** What the caller gets if no other lane serves the request. */
  readonly callerError?: ApiError;
}

const contextTooLong = (): TurnFailure => ({
  class: 'caller_fault',
  reason: 'the prompt is longer than the model takes',
  upstreamStatus: 400,
  callerError: new ApiError('context_length_exceeded', "The messages are longer than the model's context window.", {
    param: 'messages',
  }),
});

const policy = (): TurnFailure => ({
  class: 'caller_fault',
  reason: 'refused by the content policy',
  upstreamStatus: 400,
  callerError: new ApiError('content_policy_violation', "The request was refused by the model's content policy."),
});

const refused = (status: number): TurnFailure => ({
  class: 'caller_fault',
  reason: 'the upstream refused the request as invalid',
  upstreamStatus: status,
  callerError: new ApiError('invalid_request', 'The request was refused as invalid. Check messages, tools and format.'),
});

const modelUnavailable = (): TurnFailure => ({
  class: 'model_unavailable',
  reason: 'the account has no such model',
  upstreamStatus: 404,
  callerError: new ApiError('model_not_found', 'The model does not exist or you do not have access to it.', {
    param: 'model',
  }),
});

/** The lane's failure for each `codexErrorInfo`. What is unknown is `broken`: tried once more, then the next lane. */
export function classifyTurnError(error: TurnError): TurnFailure {
  switch (error.name) {
    case 'usageLimitExceeded':
      return { class: 'window_exhausted', reason: "the plan's window is used up", upstreamStatus: 429 };
    case 'rateLimitExceeded':
      return { class: 'rate_limited', reason: 'the plan is asked too fast', upstreamStatus: 429 };
    case 'serverOverloaded':
    case 'flexUnavailable':
    case 'policyCapacityUnavailable':
      return { class: 'overloaded', reason: 'the upstream says that it is too busy', upstreamStatus: 503 };
    case 'unauthorized':
      return unauthorized();
    case 'modelNotFound':
      return modelUnavailable();
    case 'contextWindowExceeded':
      return contextTooLong();
    case 'cyberPolicy':
    case 'misalignmentPolicyViolation':
      return policy();
    case 'badRequest':
      return refused(400);
    case 'internalServerError':
      return { class: 'broken', reason: 'the upstream failed', upstreamStatus: 500 };
    case 'httpConnectionFailed':
    case 'responseStreamConnectionFailed':
    case 'responseStreamDisconnected':
    case 'responseTooManyFailedAttempts':
      return byStatus(error);
    default:
      return otherError(error);
  }
}

const unauthorized = (): TurnFailure => ({
  class: 'unauthorized',
  reason: 'the sign-in is not accepted',
  upstreamStatus: 401,
});

function byStatus({ httpStatus, text }: TurnError): TurnFailure {
  // The look at the account before a call is refused without a status, in words only (measured).
  if (httpStatus === 401 || /unauthorized \(401\)/.test(text)) return unauthorized();
  if (httpStatus === 429) return { class: 'rate_limited', reason: 'the plan is asked too fast', upstreamStatus: 429 };
  if (httpStatus === 503) return { class: 'overloaded', reason: 'the upstream is too busy', upstreamStatus: 503 };
  if (httpStatus === 413) return contextTooLong();
  if (httpStatus === 400 || httpStatus === 422) return refused(httpStatus);
  // A rate limit that comes within the stream has no status, only these words of the CLI's own.
  if (/rate limit exceeded/i.test(text)) return { class: 'rate_limited', reason: 'the plan is asked too fast' };
  const status = httpStatus === undefined ? {} : { upstreamStatus: httpStatus };
  return { class: 'broken', reason: 'the connection to the upstream broke', ...status };
}

/**
 * A prompt that the model's own checks refuse ends the stream, and comes as `other` with the upstream's sentence and without
 * its code (measured). Unread, one caller's refused prompts would open the account's circuit breaker for all.
 */
const POLICY_WORDS = /invalid prompt|flagged (as|for)|usage polic|content polic|safety reasons/i;

/**
 * `other` has a HTTP 400 in it as well: then its text is the upstream's JSON body, word for word (measured). A request that
 * was refused is refused again, on this lane and on the next, so it is the caller's; anything else under `other` is broken.
 */
function otherError({ text }: TurnError): TurnFailure {
  if (!text.startsWith('{')) {
    if (POLICY_WORDS.test(text)) return policy();
    return { class: 'broken', reason: 'the turn failed for a reason that the CLI does not name' };
  }
  if (/model[^"]{0,80} is not supported/i.test(text)) return modelUnavailable();
  if (/"context_length_exceeded"/.test(text)) return contextTooLong();
  if (/"(content_policy_violation|content_filter|invalid_prompt|cyber_policy)"/.test(text)) return policy();
  return refused(400);
}

/**
 * An answer that the model was stopped in is no failure on the OpenAI wire but a finish reason. The CLI knows it only as an
 * error with these words (measured).
 */
export function finishReasonOf(error: TurnError): FinishReason | undefined {
  const reason = /Incomplete response returned, reason: (\w+)/.exec(error.text)?.[1];
  if (reason === 'max_output_tokens') return 'length';
  return reason === 'content_filter' ? 'content_filter' : undefined;
}

/** Makes the outcome of a lane out of a failure. */
export function failedOutcome(
  failure: TurnFailure,
  facts: Pick<AttemptFailure, 'answerStarted' | 'reachedUpstream' | 'unavailableUntil'>,
): LaneOutcome {
  const { class: failureClass, reason, upstreamStatus, param, lostProcess, callerError } = failure;
  const known = {
    ...(upstreamStatus === undefined ? {} : { upstreamStatus }),
    ...(param === undefined ? {} : { param }),
    ...(lostProcess === undefined ? {} : { lostProcess }),
  };
  const answer =
    callerError === undefined
      ? {}
      : { callerAnswer: { status: callerError.status, body: JSON.stringify(callerError.body) } };
  return { ok: false, failure: { class: failureClass, reason, ...known, ...facts }, ...answer };
}
