import { ApiError, type ErrorName } from '../../core/errors.ts';
import type { FailureClass } from '../../core/contracts/failure.ts';

/** Why a request does not go down the plan lane, with the answer that the caller gets if no other lane takes it. */
export interface Refusal {
  readonly refused: true;
  /** unsupported: a key lane may serve it. caller_fault: no lane would. */
  readonly class: Extract<FailureClass, 'unsupported' | 'caller_fault'>;
  readonly reason: string;
  readonly error: ApiError;
}

/** The plan's backend has no way to do this. */
export function unsupported(param: string, message: string): Refusal {
  return refusal('unsupported', 'unsupported_parameter', param, message);
}

/** The request contradicts itself. */
export function invalid(param: string, message: string): Refusal {
  return refusal('caller_fault', 'invalid_request', param, message);
}

function refusal(refusedAs: Refusal['class'], name: ErrorName, param: string, message: string): Refusal {
  return {
    refused: true,
    class: refusedAs,
    // The path of the parameter and no value: it goes into the lane log.
    reason: `${refusedAs === 'unsupported' ? 'not supported by a plan lane' : 'invalid'}: ${param}`,
    error: new ApiError(name, message, { param }),
  };
}

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && 'refused' in value;
}
