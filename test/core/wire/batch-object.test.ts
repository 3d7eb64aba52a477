import { expect, it } from 'vitest';
import { toBatchObject } from '../../../core/wire/batch-object.ts';
import { newBatch } from '../../../store/batches.ts';

const batch = newBatch({
  _id: 'batch_1',
  ownerId: 'key_1',
  endpoint: '/v1/chat/completions',
  inputFileId: 'file-1',
  completionWindow: '24h',
  createdAt: 1_800_000_000_999,
  expiresAt: 1_800_086_400_999,
  metadata: null,
  outputExpiresAfterSeconds: null,
});

it('gives every field of a new batch, with times in seconds', () => {
  expect(toBatchObject(batch)).toEqual({
    id: 'batch_1',
    object: 'batch',
    endpoint: '/v1/chat/completions',
    model: null,
    errors: null,
    input_file_id: 'file-1',
    completion_window: '24h',
    status: 'validating',
    output_file_id: null,
    error_file_id: null,
    created_at: 1_800_000_000,
    in_progress_at: null,
    expires_at: 1_800_086_400,
    finalizing_at: null,
    completed_at: null,
    failed_at: null,
    expired_at: null,
    cancelling_at: null,
    cancelled_at: null,
    request_counts: { total: 0, completed: 0, failed: 0 },
    usage: {
      input_tokens: 0,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 0,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 0,
    },
    metadata: null,
  });
});

it('shows errors as a list, usage with its sum, and metadata as it was given', () => {
  const shown = toBatchObject({
    ...batch,
    status: 'failed',
    failedAt: 1_800_000_001_000,
    errors: [{ code: 'empty_file', message: 'm', param: null, line: null }],
    usage: { promptTokens: 10, cachedPromptTokens: 4, completionTokens: 5, reasoningTokens: 2 },
    metadata: [{ key: 'constructor', value: 'x' }],
  });
  expect(shown).toMatchObject({
    failed_at: 1_800_000_001,
    errors: { object: 'list', data: [{ code: 'empty_file', message: 'm', param: null, line: null }] },
    usage: { input_tokens: 10, input_tokens_details: { cached_tokens: 4 }, total_tokens: 15 },
    metadata: { constructor: 'x' },
  });
});
