import { describe, expect, it } from 'vitest';
import type { FailureClass } from '../../../core/contracts/failure.ts';
import { classifyErrorInside } from '../../../lanes/openai/error-inside.ts';

const CALLERS_OWN = [
  'invalid_prompt',
  'context_length_exceeded',
  'content_policy_violation',
  'cyber_policy',
  'invalid_image',
  'invalid_image_format',
  'invalid_base64_image',
  'invalid_image_url',
  'image_too_large',
  'image_too_small',
  'image_parse_error',
  'image_content_policy_violation',
  'invalid_image_mode',
  'image_file_too_large',
  'unsupported_image_media_type',
  'empty_image_file',
  'failed_to_download_image',
  'image_file_not_found',
];

describe('an error inside a response', () => {
  it.each(CALLERS_OWN)('is the caller’s own with %s, and told in the provider’s words', (code) => {
    const inside = classifyErrorInside({ code, message: 'Not this one.' });
    expect(inside?.failure).toEqual({ class: 'caller_fault', reason: expect.any(String) as string });
    expect(inside?.failure.reason).not.toContain('Not this one');
    expect(inside?.callerAnswer?.status).toBe(400);
    expect(JSON.parse(inside?.callerAnswer?.body ?? '')).toEqual({
      error: { message: 'Not this one.', type: 'invalid_request_error', param: null, code },
    });
  });

  it('is the caller’s own where only its own files were too slow, and may be tried again', () => {
    const inside = classifyErrorInside({ code: 'vector_store_timeout', message: 'm' });
    expect(inside?.failure.class).toBe('caller_fault');
    expect(inside?.callerAnswer?.status).toBe(503);
  });

  it.each<[string, FailureClass]>([
    ['rate_limit_exceeded', 'rate_limited'],
    ['insufficient_quota', 'window_exhausted'],
    ['server_is_overloaded', 'overloaded'],
  ])('is of the lane with %s', (code, becomes) => {
    expect(classifyErrorInside({ code, message: 'm' })).toEqual({
      failure: { class: becomes, reason: expect.any(String) as string },
    });
  });

  it.each([{ code: 'server_error' }, { code: 'of_tomorrow' }, { code: 500 }, { message: 'm' }, 'x', null, false])(
    'says nothing more exact with %j',
    (error) => {
      expect(classifyErrorInside(error)).toBeUndefined();
    },
  );

  it('is told in few words, with the parameter where it is named', () => {
    const read = (error: object): unknown => JSON.parse(classifyErrorInside(error)?.callerAnswer?.body ?? '');
    const code = 'invalid_image';
    expect(read({ code, message: 'x'.repeat(10_000), param: 'input[0]' })).toMatchObject({
      error: { message: 'x'.repeat(2_000), param: 'input[0]' },
    });
    expect(read({ code })).toMatchObject({ error: { message: 'The provider refused the request.' } });
  });
});
