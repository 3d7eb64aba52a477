import type { AttemptFailure, AttemptRecord, FailureClass } from './contracts/failure.ts';
import { ApiError } from './errors.ts';

/**
 * The error that a caller gets when no lane could answer: in our words, by the class of the last failure. A lane's outage
 * counts more than how it showed: when windows are out, that is the answer.
 */
export function failureAnswer(
  failureClass: FailureClass,
  last: (Pick<AttemptRecord, 'reason' | 'param'> & Pick<AttemptFailure, 'unavailableUntil' | 'backsOff'>) | undefined,
  resetsAtMs?: number,
): ApiError {
  const param = last?.param;
  const comesBackAt = resetsAtMs ?? last?.unavailableUntil;
  const comesBackAfterMs = comesBackAt === undefined ? undefined : Math.max(0, comesBackAt - Date.now());
  switch (failureClass) {
    case 'lane_unavailable':
      if (resetsAtMs !== undefined) return windowsAreOut(resetsAtMs);
      // Busy, pausing, or without a worker for the moment: a client's own retry finds it, and must not be kept from it.
      return new ApiError(
        'server_is_overloaded',
        'Every lane of this model is busy or not available for the moment. Try again shortly, or add a lane to the route.',
        { retryAfterMs: (last?.backsOff === true ? comesBackAfterMs : undefined) ?? 5_000 },
      );
    case 'window_exhausted':
      return windowsAreOut(resetsAtMs);
    case 'rate_limited':
      return new ApiError('rate_limit_exceeded', 'The upstream of every lane asks to slow down. Try again shortly.', {
        retryAfterMs: comesBackAfterMs ?? 1_000,
      });
    case 'overloaded':
      return new ApiError('server_is_overloaded', 'The upstream of every lane is overloaded. Try again shortly.', {
        retryAfterMs: comesBackAfterMs ?? 5_000,
      });
    case 'unauthorized':
      return new ApiError(
        'upstream_broken',
        'No lane of this model accepts its sign-in or its key. The owner must sign in again (flatlane login) or renew the key.',
      );
    case 'model_unavailable':
      return new ApiError('model_not_found', 'No lane that this key may use has this model.', { param: 'model' });
    case 'unsupported':
      return new ApiError(
        'unsupported_parameter',
        param === undefined
          ? 'No lane of this model serves this endpoint. Add a key lane whose provider has it to the route.'
          : `No lane of this model can do what the request asks with '${param}'. Leave it out, or add a key lane to the route.`,
        { param },
      );
    case 'consent_spent':
      return new ApiError(
        'insufficient_quota',
        'The spend limit of the batch (max_metered_usd) leaves no room for what this line may cost, or the price of its model, or of the service tier that it asks for, is unknown. Raise the limit or give the line max_completion_tokens, and retry it.',
      );
    case 'caller_fault':
      return new ApiError('invalid_request', 'The upstream refused the request.', { param });
    case 'broken':
    case 'process_lost':
      return new ApiError('upstream_broken', 'The upstream of every lane failed. Try again.');
    case 'cancelled':
      return new ApiError('internal', 'The request was cancelled.');
  }
}

function windowsAreOut(resetsAtMs: number | undefined): ApiError {
  return new ApiError(
    'usage_limit_reached',
    'Every lane of this model is out of its window. Wait for the reset, or add a lane to the route.',
    { resetsAtMs, retryAfterMs: resetsAtMs === undefined ? undefined : Math.max(0, resetsAtMs - Date.now()) },
  );
}

/** The answer to a caller's own fault where the lane gave none of the upstream's. */
export function ownAnswer(failure: AttemptFailure): { readonly status: number; readonly body: string } {
  const { status, body } = failureAnswer(failure.class, failure);
  return { status, body: JSON.stringify(body) };
}
