import { describe, expect, it } from 'vitest';
import { ApiError } from '../../../core/errors.ts';
import { readBatchCreate } from '../../../core/wire/batch-create.ts';

const good = { input_file_id: 'file-1', endpoint: '/v1/chat/completions', completion_window: '24h' };

function refusal(body: unknown): { code: string | null; param: string | null } {
  try {
    readBatchCreate(body);
  } catch (error) {
    if (error instanceof ApiError) return { code: error.body.error.code, param: error.param };
    throw error;
  }
  throw new Error('it was accepted');
}

describe('readBatchCreate', () => {
  it('takes a batch as the official clients send it', () => {
    expect(
      readBatchCreate({
        ...good,
        metadata: { a: 'b' },
        output_expires_after: { anchor: 'created_at', seconds: 3600 },
      }),
    ).toEqual({
      inputFileId: 'file-1',
      endpoint: '/v1/chat/completions',
      completionWindow: '24h',
      windowMs: 86_400_000,
      metadata: [{ key: 'a', value: 'b' }],
      outputExpiresAfterSeconds: 3600,
      template: null,
      wishes: {
        control: { paused: false, priority: 'normal', metered: 'auto', spill: 'late' },
        maxMicros: null,
      },
    });
  });

  it('counts characters of metadata, not their UTF-16 units', () => {
    const metadata = { ['🙂'.repeat(64)]: '🙂'.repeat(512) };
    expect(readBatchCreate({ ...good, metadata }).metadata).toHaveLength(1);
    expect(refusal({ ...good, metadata: { k: '🙂'.repeat(513) } })).toEqual({
      code: 'invalid_value',
      param: 'metadata.k',
    });
  });

  it.each(['1h', '24h', '168h'])('takes a window of %s', (window) => {
    expect(readBatchCreate({ ...good, completion_window: window }).windowMs).toBe(Number.parseInt(window) * 3_600_000);
  });

  it.each([
    ['nothing', undefined, null, null],
    ['a list', [], null, null],
    ['no file', { ...good, input_file_id: undefined }, 'missing_required_parameter', 'input_file_id'],
    ['a file that is a number', { ...good, input_file_id: 1 }, 'invalid_type', 'input_file_id'],
    ['no endpoint', { ...good, endpoint: undefined }, 'missing_required_parameter', 'endpoint'],
    ['an unknown endpoint', { ...good, endpoint: '/v1/x' }, 'invalid_value', 'endpoint'],
    ['an endpoint without batches', { ...good, endpoint: '/v1/completions' }, 'invalid_value', 'endpoint'],
    ['no window', { ...good, completion_window: undefined }, 'missing_required_parameter', 'completion_window'],
    ['a window in minutes', { ...good, completion_window: '90m' }, 'invalid_value', 'completion_window'],
    ['a window of nothing', { ...good, completion_window: '0h' }, 'invalid_value', 'completion_window'],
    ['a window that is too long', { ...good, completion_window: '169h' }, 'invalid_value', 'completion_window'],
    ['a broken window', { ...good, completion_window: '1.5h' }, 'invalid_value', 'completion_window'],
    ['metadata that is a list', { ...good, metadata: [] }, 'invalid_type', 'metadata'],
    ['a metadata value that is no text', { ...good, metadata: { tags: ['x'] } }, 'invalid_type', 'metadata.tags'],
    ['a long metadata key', { ...good, metadata: { ['k'.repeat(65)]: 'x' } }, 'invalid_value', 'metadata'],
    ['a long metadata value', { ...good, metadata: { k: 'x'.repeat(513) } }, 'invalid_value', 'metadata.k'],
    [
      '17 pairs',
      { ...good, metadata: Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, 'x'])) },
      'invalid_value',
      'metadata',
    ],
    [
      'another anchor',
      { ...good, output_expires_after: { anchor: 'now', seconds: 3600 } },
      'invalid_value',
      'output_expires_after.anchor',
    ],
    [
      'too short a life',
      { ...good, output_expires_after: { anchor: 'created_at', seconds: 3599 } },
      'invalid_value',
      'output_expires_after.seconds',
    ],
    [
      'a life that is a text',
      { ...good, output_expires_after: { anchor: 'created_at', seconds: '3600' } },
      'invalid_type',
      'output_expires_after.seconds',
    ],
  ])('refuses %s', (_what, body, code, param) => {
    expect(refusal(body)).toEqual({ code, param });
  });
});
