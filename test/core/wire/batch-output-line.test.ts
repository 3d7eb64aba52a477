import { describe, expect, it } from 'vitest';
import { toOutputLine } from '../../../core/wire/batch-output-line.ts';
import { result } from '../../support/batch-world.ts';

describe('toOutputLine', () => {
  it('has the fields of the wire, in one line', () => {
    const text = toOutputLine(
      result('batch_1', 7, { requestId: 'req_1', body: '{\n  "n": 1.0,\r\n  "text": "a\\nb"\n}' }),
    );
    expect(text).toMatch(/^\{"id":"batch_req_[0-9a-f]{32}","custom_id":"id-7",[^\n]*\}\n$/);
    expect(text).toContain('1.0');
    expect(JSON.parse(text)).toEqual({
      id: expect.any(String) as string,
      custom_id: 'id-7',
      response: { status_code: 200, request_id: 'req_1', body: { n: 1, text: 'a\nb' } },
      error: null,
    });
  });

  it('is the same when it is made again, and another for another line', () => {
    const outcome = result('batch_1', 7);
    expect(toOutputLine(outcome)).toBe(toOutputLine({ ...outcome }));
    expect(toOutputLine(outcome).slice(0, 40)).not.toBe(toOutputLine(result('batch_1', 8)).slice(0, 40));
  });

  it('has no response where there was no HTTP answer', () => {
    const error = { code: 'batch_expired', message: 'too late' };
    expect(JSON.parse(toOutputLine(result('batch_1', 1, { statusCode: null, body: null, error })))).toMatchObject({
      response: null,
      error,
    });
  });

  it('keeps the file whole when a body is no JSON', () => {
    expect(JSON.parse(toOutputLine(result('batch_1', 1, { body: '<html>\n' })))).toMatchObject({
      response: { body: '<html>\n' },
    });
  });
});
