import { describe, expect, it } from 'vitest';
import { classifyTurnError, failedOutcome, finishReasonOf } from '../../../lanes/codex/classify-failure.ts';
import type { TurnError } from '../../../lanes/codex/turn-events.ts';

const CLI_TEXT = 'Visit https://chatgpt.example/settings at 3:14 PM, url: http://10.0.0.1/v1';

const error = (name: string, httpStatus?: number, text = CLI_TEXT): TurnError => ({
  name,
  text,
  ...(httpStatus === undefined ? {} : { httpStatus }),
});

describe('classifyTurnError', () => {
  it.each([
    ['usageLimitExceeded', undefined, 'window_exhausted'],
    ['rateLimitExceeded', undefined, 'rate_limited'],
    ['serverOverloaded', undefined, 'overloaded'],
    ['flexUnavailable', undefined, 'overloaded'],
    ['policyCapacityUnavailable', undefined, 'overloaded'],
    ['responseTooManyFailedAttempts', 429, 'rate_limited'],
    ['responseTooManyFailedAttempts', 500, 'broken'],
    ['unauthorized', undefined, 'unauthorized'],
    ['httpConnectionFailed', 401, 'unauthorized'],
    ['httpConnectionFailed', undefined, 'broken'],
    ['modelNotFound', undefined, 'model_unavailable'],
    ['contextWindowExceeded', undefined, 'caller_fault'],
    ['badRequest', undefined, 'caller_fault'],
    ['cyberPolicy', undefined, 'caller_fault'],
    ['misalignmentPolicyViolation', undefined, 'caller_fault'],
    ['internalServerError', undefined, 'broken'],
    ['responseStreamDisconnected', undefined, 'broken'],
    ['responseStreamDisconnected', 401, 'unauthorized'],
    ['responseStreamDisconnected', 403, 'broken'],
    ['responseStreamDisconnected', 413, 'caller_fault'],
    ['responseStreamDisconnected', 422, 'caller_fault'],
    ['responseStreamDisconnected', 429, 'rate_limited'],
    ['responseStreamDisconnected', 503, 'overloaded'],
    ['responseStreamConnectionFailed', 502, 'broken'],
    ['other', undefined, 'broken'],
    ['sandboxError', undefined, 'broken'],
    ['aNameOfALaterVersion', undefined, 'broken'],
  ] as const)('takes %s with status %s as %s', (name, status, expected) => {
    expect(classifyTurnError(error(name, status)).class).toBe(expected);
  });

  it.each([
    [
      'a refused request',
      '{"error":{"type":"invalid_request_error","message":"bad schema"}}',
      'caller_fault',
      'invalid_request_error',
      null,
    ],
    ['a detail only', '{"detail":"Unsupported parameter: x"}', 'caller_fault', 'invalid_request_error', null],
    [
      'a prompt that is too long',
      '{"error":{"code":"context_length_exceeded"}}',
      'caller_fault',
      'invalid_request_error',
      'context_length_exceeded',
    ],
    [
      'a refused prompt',
      '{"error":{"code":"invalid_prompt"}}',
      'caller_fault',
      'invalid_request_error',
      'content_policy_violation',
    ],
    [
      'a model that the plan lacks',
      `{"detail":"The 'x' model is not supported when using Codex with a ChatGPT account."}`,
      'model_unavailable',
      'invalid_request_error',
      'model_not_found',
    ],
  ])('finds %s in the body that the CLI hands on under "other"', (_, text, expected, type, code) => {
    const failure = classifyTurnError(error('other', undefined, text));
    expect(failure.class).toBe(expected);
    expect(failure.callerError?.body.error).toMatchObject({ type, code });
  });

  it.each([
    'Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again.',
    'This content was flagged for possible cybersecurity risk.',
    "Invalid prompt: we've limited access to this content for safety reasons.",
  ])('takes a prompt that the model refused as the caller’s: %s', (text) => {
    expect(classifyTurnError(error('other', undefined, text))).toMatchObject({
      class: 'caller_fault',
      callerError: { errorName: 'content_policy_violation' },
    });
  });

  it('finds a refused look at the account, which has no status', () => {
    const text = 'Reconnecting... 2/5\nworkspace routing discovery unauthorized (401)';
    expect(classifyTurnError(error('responseStreamDisconnected', undefined, text)).class).toBe('unauthorized');
  });

  it('finds a rate limit that came within the stream', () => {
    const text = 'Reconnecting... 1/5\nrate limit exceeded: Try again in 5s';
    expect(classifyTurnError(error('responseStreamDisconnected', undefined, text)).class).toBe('rate_limited');
  });

  it.each([
    ['contextWindowExceeded', 400, 'context_length_exceeded'],
    ['cyberPolicy', 400, 'content_policy_violation'],
    ['badRequest', 400, null],
    ['modelNotFound', 404, 'model_not_found'],
  ] as const)('answers the caller of %s with status %s and code %s', (name, status, code) => {
    const outcome = failedOutcome(classifyTurnError(error(name)), { answerStarted: false, reachedUpstream: true });
    if (outcome.ok) throw new Error('a failure is expected');
    expect(outcome.callerAnswer?.status).toBe(status);
    expect(JSON.parse(outcome.callerAnswer?.body ?? '')).toMatchObject({ error: { code } });
  });

  it('never lets a word of the CLI out', () => {
    for (const name of ['usageLimitExceeded', 'badRequest', 'other', 'modelNotFound', 'responseStreamDisconnected']) {
      const failure = classifyTurnError(error(name));
      const outcome = failedOutcome(failure, { answerStarted: false, reachedUpstream: true });
      expect(JSON.stringify(outcome)).not.toMatch(/https?:|PM|10\.0/);
    }
  });
});

describe('finishReasonOf', () => {
  it.each([
    ['max_output_tokens', 'length'],
    ['content_filter', 'content_filter'],
    ['something_new', undefined],
  ])('knows an answer that was stopped by %s', (reason, expected) => {
    expect(finishReasonOf(error('other', undefined, `Incomplete response returned, reason: ${reason}`))).toBe(expected);
  });

  it('takes any other error as one', () => {
    expect(finishReasonOf(error('other'))).toBeUndefined();
  });
});
