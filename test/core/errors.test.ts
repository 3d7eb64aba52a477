import { describe, expect, it } from 'vitest';
import { ApiError, ERROR_CATALOGUE, type ErrorName } from '../../core/errors.ts';

interface Expected {
  readonly status: number;
  readonly type: string;
  readonly code: string | null;
  readonly shouldRetry?: boolean;
}

/** OpenAI's errors as its specification and its clients have them; the type asks for every entry of the catalogue. */
const WIRE: Record<ErrorName, Expected> = {
  invalid_api_key: { status: 401, type: 'invalid_request_error', code: 'invalid_api_key' },
  insufficient_permissions: { status: 403, type: 'invalid_request_error', code: 'insufficient_permissions' },
  model_not_found: { status: 404, type: 'invalid_request_error', code: 'model_not_found' },
  not_found: { status: 404, type: 'invalid_request_error', code: null },
  invalid_request: { status: 400, type: 'invalid_request_error', code: null },
  invalid_value: { status: 400, type: 'invalid_request_error', code: 'invalid_value' },
  invalid_type: { status: 400, type: 'invalid_request_error', code: 'invalid_type' },
  missing_required_parameter: { status: 400, type: 'invalid_request_error', code: 'missing_required_parameter' },
  unsupported_parameter: { status: 400, type: 'invalid_request_error', code: 'unsupported_parameter' },
  context_length_exceeded: { status: 400, type: 'invalid_request_error', code: 'context_length_exceeded' },
  content_policy_violation: { status: 400, type: 'invalid_request_error', code: 'content_policy_violation' },
  idempotency_key_reused: {
    status: 409,
    type: 'invalid_request_error',
    code: 'idempotency_key_reused',
    shouldRetry: false,
  },
  conflict: { status: 409, type: 'invalid_request_error', code: null, shouldRetry: false },
  request_too_large: { status: 413, type: 'invalid_request_error', code: 'request_too_large' },
  unsupported_media_type: { status: 415, type: 'invalid_request_error', code: 'unsupported_media_type' },
  rate_limit_exceeded: { status: 429, type: 'requests', code: 'rate_limit_exceeded' },
  insufficient_quota: { status: 429, type: 'insufficient_quota', code: 'insufficient_quota', shouldRetry: false },
  usage_limit_reached: { status: 429, type: 'usage_limit_reached', code: 'usage_limit_reached', shouldRetry: false },
  server_is_overloaded: { status: 503, type: 'service_unavailable_error', code: 'server_is_overloaded' },
  upstream_broken: { status: 502, type: 'server_error', code: null },
  insufficient_storage: { status: 507, type: 'server_error', code: 'insufficient_storage', shouldRetry: false },
  internal: { status: 500, type: 'server_error', code: null },
};
const NAMES = Object.keys(ERROR_CATALOGUE) as ErrorName[];

describe('the catalogue of errors', () => {
  it.each(NAMES)('has %s as the wire wants it', (name) => {
    const error = new ApiError(name, 'Say what to do.');
    const { type, code } = error.body.error;
    expect({ status: error.status, type, code, shouldRetry: error.shouldRetry }).toEqual({
      shouldRetry: undefined,
      ...WIRE[name],
    });
  });

  it.each(NAMES)('gives %s all four keys of a body, and no more', (name) => {
    expect(Object.keys(new ApiError(name, 'x').body.error).toSorted()).toEqual(['code', 'message', 'param', 'type']);
  });

  it('has every entry under test', () => {
    expect(NAMES.toSorted()).toEqual(Object.keys(WIRE).toSorted());
  });
});

describe('ApiError', () => {
  it('names the parameter at fault', () => {
    expect(new ApiError('invalid_value', 'No.', { param: 'metadata.tags' }).body).toEqual({
      error: { message: 'No.', type: 'invalid_request_error', param: 'metadata.tags', code: 'invalid_value' },
    });
  });

  it('gives the end of a window in whole Unix seconds, never before it', () => {
    const error = new ApiError('usage_limit_reached', 'Later.', { resetsAtMs: 1_700_000_000_001, retryAfterMs: 1500 });
    expect(error.body.error.resets_at).toBe(1_700_000_001);
    expect(error.retryAfterMs).toBe(1500);
  });

  it('keeps its cause out of the body', () => {
    const cause = new Error('sk-0123456789');
    const error = new ApiError('upstream_broken', 'The provider gave no answer.', { cause });
    expect(error.cause).toBe(cause);
    expect(JSON.stringify(error.body)).not.toContain('sk-');
  });

  it('has no cause where none was given', () => {
    expect('cause' in new ApiError('internal', 'x')).toBe(false);
  });
});
