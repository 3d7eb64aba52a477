import { describe, expect, it } from 'vitest';
import type { FailureClass } from '../../../core/contracts/failure.ts';
import { HOLD_WITHOUT_RESET_MS } from '../../../core/contracts/timings.ts';
import { classifyResponse } from '../../../lanes/openai/classify-response.ts';

const NOW = 1_790_000_000_000;
const HTML = '<html><body>Bad gateway</body></html>';
const error = (fields: Record<string, unknown>): string =>
  JSON.stringify({ error: { message: 'm', type: 't', param: null, code: null, ...fields } });

interface Row {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Record<string, string>;
  readonly becomes: FailureClass;
  /** Milliseconds from now. */
  readonly holds?: number;
  /** True: the caller would get the provider's own status and body. */
  readonly relayed?: true;
}

const TABLE: readonly Row[] = [
  {
    status: 429,
    body: error({ code: 'insufficient_quota' }),
    becomes: 'window_exhausted',
    holds: HOLD_WITHOUT_RESET_MS,
  },
  {
    status: 429,
    body: error({ type: 'insufficient_quota' }),
    becomes: 'window_exhausted',
    holds: HOLD_WITHOUT_RESET_MS,
  },
  {
    status: 429,
    body: error({ code: 'billing_hard_limit_reached' }),
    headers: { 'retry-after': '1' },
    becomes: 'window_exhausted',
    holds: HOLD_WITHOUT_RESET_MS,
  },
  { status: 402, body: error({ code: 402 }), becomes: 'window_exhausted', holds: HOLD_WITHOUT_RESET_MS },
  { status: 429, body: error({ code: 'rate_limit_exceeded' }), becomes: 'rate_limited' },
  { status: 429, headers: { 'retry-after-ms': '700' }, becomes: 'rate_limited', holds: 700 },
  { status: 429, headers: { 'retry-after': '2' }, becomes: 'rate_limited', holds: 2000 },
  { status: 429, body: HTML, headers: { 'retry-after': '7' }, becomes: 'rate_limited', holds: 7000 },
  { status: 401, body: error({ code: 'invalid_api_key' }), becomes: 'unauthorized' },
  { status: 401, body: '', becomes: 'unauthorized' },
  { status: 403, body: error({ code: 'unsupported_country_region_territory' }), becomes: 'unauthorized' },
  { status: 403, body: error({ code: 'model_not_found' }), becomes: 'model_unavailable', relayed: true },
  { status: 403, body: error({ metadata: { reasons: ['x'] } }), becomes: 'caller_fault', relayed: true },
  { status: 403, body: HTML, becomes: 'broken' },
  { status: 404, body: error({ code: 'model_not_found' }), becomes: 'model_unavailable', relayed: true },
  { status: 404, body: error({ message: "model 'x' not found" }), becomes: 'model_unavailable', relayed: true },
  { status: 404, body: HTML, becomes: 'broken' },
  { status: 400, body: error({ code: 'context_length_exceeded' }), becomes: 'caller_fault', relayed: true },
  { status: 400, body: error({ code: 'content_policy_violation' }), becomes: 'caller_fault', relayed: true },
  { status: 400, body: '{"detail":"other shape"}', becomes: 'caller_fault', relayed: true },
  { status: 405, body: error({}), becomes: 'caller_fault', relayed: true },
  { status: 413, body: error({}), becomes: 'caller_fault', relayed: true },
  { status: 422, body: error({}), becomes: 'caller_fault', relayed: true },
  { status: 408, body: error({}), becomes: 'broken' },
  { status: 409, body: error({}), becomes: 'broken' },
  { status: 500, body: error({}), becomes: 'broken' },
  { status: 500, body: error({ code: 'server_is_overloaded' }), becomes: 'overloaded' },
  { status: 502, body: HTML, becomes: 'broken' },
  { status: 504, body: '', becomes: 'broken' },
  { status: 524, body: HTML, becomes: 'broken' },
  { status: 503, body: error({ code: 'server_is_overloaded' }), becomes: 'overloaded' },
  { status: 503, headers: { 'retry-after': '3' }, becomes: 'overloaded', holds: 3000 },
  { status: 529, body: error({ type: 'overloaded_error' }), becomes: 'overloaded' },
  { status: 204, becomes: 'broken' },
  { status: 302, headers: { location: 'http://169.254.169.254/' }, becomes: 'broken' },
];

describe('classifyResponse', () => {
  it.each(TABLE)(
    'takes $status with $body $headers as $becomes',
    ({ status, body = '', headers = {}, becomes, holds, relayed }) => {
      const { failure, callerAnswer } = classifyResponse({ status, headers, body, now: NOW });
      expect(failure).toEqual({
        class: becomes,
        upstreamStatus: status,
        reason: expect.any(String) as string,
        ...(holds === undefined ? {} : { unavailableUntil: NOW + holds }),
      });
      expect(callerAnswer).toEqual(relayed ? { status, body } : undefined);
    },
  );

  it.each([
    [400, HTML, null],
    [413, HTML, 'request_too_large'],
    [414, '', null],
  ])('tells the caller of a %i without JSON in our own words', (status, body, code) => {
    const { failure, callerAnswer } = classifyResponse({ status, headers: {}, body, now: NOW });
    expect(failure.class).toBe('caller_fault');
    expect(callerAnswer?.status).toBe(status);
    expect(JSON.parse(callerAnswer?.body ?? '')).toEqual({
      error: { message: expect.any(String) as string, type: 'invalid_request_error', param: null, code },
    });
  });

  it('has nothing of the provider’s words in its reasons', () => {
    for (const { status } of TABLE) {
      const body = error({ message: 'sk-secret http://inside.example' });
      expect(classifyResponse({ status, headers: {}, body, now: NOW }).failure.reason).not.toMatch(/secret|inside/);
    }
  });
});

describe('an endpoint that a provider does not have', () => {
  const missing = (operation: 'chat' | 'responses' | 'embeddings', status: number, body: string): FailureClass =>
    classifyResponse({ operation, status, headers: {}, body, now: NOW }).failure.class;

  it.each([
    ['responses', 404, error({ message: 'Unknown request URL: POST /v1/responses.' }), 'unsupported'],
    ['responses', 404, HTML, 'unsupported'],
    ['responses', 405, '', 'unsupported'],
    ['embeddings', 501, error({}), 'unsupported'],
    ['responses', 404, error({ code: 'model_not_found' }), 'model_unavailable'],
    ['responses', 404, error({ message: 'The model does not exist' }), 'model_unavailable'],
    ['embeddings', 404, error({ param: 'model' }), 'model_unavailable'],
    ['responses', 404, error({ param: 'input[0].id' }), 'caller_fault'],
    ['chat', 404, error({}), 'model_unavailable'],
    ['chat', 404, HTML, 'broken'],
    ['chat', 405, error({}), 'caller_fault'],
  ] as const)('%s with %i and %s is %s', (operation, status, body, becomes) => {
    expect(missing(operation, status, body)).toBe(becomes);
  });
});
