import { describe, expect, it } from 'vitest';
import { batchEventId, pauseAfterAttemptMs, webhookWorkflowId } from '../../../core/contracts/webhook.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe('the retries of a webhook', () => {
  it.each([
    [1, 5_000],
    [2, 5 * MINUTE],
    [3, 30 * MINUTE],
    [4, 2 * HOUR],
    [5, 5 * HOUR],
    [6, 10 * HOUR],
    [7, 14 * HOUR],
    [8, 20 * HOUR],
    [9, 24 * HOUR],
    [10, null],
  ])('wait after attempt %i for %s ms', (attempt, pauseMs) => {
    expect(pauseAfterAttemptMs(attempt, 0)).toBe(pauseMs);
  });

  it('wait a tenth longer at most, so that not all come at once', () => {
    expect(pauseAfterAttemptMs(1, 0.5)).toBe(5_250);
    expect(pauseAfterAttemptMs(9, 1)).toBe(24 * HOUR + 144 * MINUTE);
  });
});

describe('the ids of webhooks', () => {
  it('are made of the batch, so that its end is one event whoever announces it', () => {
    expect(batchEventId(`batch_${'a'.repeat(32)}`)).toBe(`evt_${'a'.repeat(32)}`);
    expect(webhookWorkflowId('evt_1', 'wh_2')).toBe('webhook/evt_1/wh_2');
  });
});
