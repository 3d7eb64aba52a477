import { describe, expect, it } from 'vitest';
import { failureAnswer, ownAnswer } from '../../core/failure-answer.ts';
import type { FailureClass } from '../../core/contracts/failure.ts';
import { FAILURE_CLASSES, plantFailure } from '../support/planted.ts';

interface Row {
  readonly status: number;
  readonly type: string;
  readonly code: string | null;
  readonly param?: string;
  readonly shouldRetry?: boolean;
  /** True where a client is told when to come again though no reset is known. */
  readonly retryAfter?: boolean;
}

/** What the caller gets for each class; after the table of errors of the OpenAI wire. */
const TABLE: Record<FailureClass, Row> = {
  window_exhausted: { status: 429, type: 'usage_limit_reached', code: 'usage_limit_reached', shouldRetry: false },
  lane_unavailable: { status: 503, type: 'service_unavailable_error', code: 'server_is_overloaded', retryAfter: true },
  rate_limited: { status: 429, type: 'requests', code: 'rate_limit_exceeded', retryAfter: true },
  overloaded: { status: 503, type: 'service_unavailable_error', code: 'server_is_overloaded', retryAfter: true },
  unauthorized: { status: 502, type: 'server_error', code: null },
  broken: { status: 502, type: 'server_error', code: null },
  process_lost: { status: 502, type: 'server_error', code: null },
  model_unavailable: { status: 404, type: 'invalid_request_error', code: 'model_not_found', param: 'model' },
  unsupported: { status: 400, type: 'invalid_request_error', code: 'unsupported_parameter', param: 'n' },
  caller_fault: { status: 400, type: 'invalid_request_error', code: null, param: 'n' },
  consent_spent: { status: 429, type: 'insufficient_quota', code: 'insufficient_quota', shouldRetry: false },
  cancelled: { status: 500, type: 'server_error', code: null },
};

describe.each(FAILURE_CLASSES)('a request that ends as %s', (failureClass) => {
  const row = TABLE[failureClass];
  const error = failureAnswer(failureClass, { reason: 'the upstream’s own words', param: 'n' });

  it(`is answered with ${row.status} ${row.code ?? row.type} and all four keys`, () => {
    expect(error.status).toBe(row.status);
    expect(error.body).toEqual({
      error: { message: expect.any(String) as string, type: row.type, code: row.code, param: row.param ?? null },
    });
  });

  it('tells clients whether and when to try again', () => {
    expect(error.shouldRetry).toBe(row.shouldRetry);
    expect(error.retryAfterMs !== undefined).toBe(row.retryAfter === true);
  });

  it('says nothing in the upstream’s words', () => {
    expect(error.message).not.toContain('own words');
  });
});

describe('a known reset', () => {
  it.each(['window_exhausted', 'lane_unavailable'] as const)('is told in body and headers of %s', (failureClass) => {
    const resetsAt = Date.now() + 3_600_000;
    const error = failureAnswer(failureClass, undefined, resetsAt);
    expect(error.body.error.resets_at).toBe(Math.ceil(resetsAt / 1000));
    expect(error.retryAfterMs).toBeGreaterThan(3_500_000);
    expect(error.retryAfterMs).toBeLessThanOrEqual(3_600_000);
  });

  it('never asks to come again in the past', () => {
    expect(failureAnswer('window_exhausted', undefined, 1).retryAfterMs).toBe(0);
    expect(failureAnswer('rate_limited', undefined, 1).retryAfterMs).toBe(0);
  });
});

describe('a lane that is back in a moment', () => {
  const unavailableUntil = Date.now() + 30_000;

  it.each([
    ['rate_limited', {}],
    ['overloaded', {}],
    ['lane_unavailable', { backsOff: true }],
  ] as const)('is told of as %s with its time, and to be tried again', (failureClass, given) => {
    const error = failureAnswer(failureClass, { reason: 'planted', unavailableUntil, ...given });
    expect(error.body.error.code).not.toBe('usage_limit_reached');
    expect(error.shouldRetry).toBeUndefined();
    expect(error.retryAfterMs).toBeGreaterThan(20_000);
    expect(error.retryAfterMs).toBeLessThanOrEqual(30_000);
  });

  it('does not lend its time to one that is busy', () => {
    expect(failureAnswer('lane_unavailable', { reason: 'planted', unavailableUntil }).retryAfterMs).toBe(5_000);
  });
});

describe('a caller’s fault without the upstream’s answer', () => {
  it('has an answer of our own', () => {
    const { status, body } = ownAnswer(plantFailure('caller_fault', { param: 'messages' }));
    expect(status).toBe(400);
    expect(JSON.parse(body)).toMatchObject({ error: { param: 'messages', type: 'invalid_request_error' } });
  });
});
