import { z } from 'zod';
import type { LineOutcome } from './batch-output-line.ts';

/** How a line without an answer ended: refused or failed on its lanes, not served in time, or not served before the cancel. */
export const RETRY_REASONS = ['failed', 'expired', 'cancelled'] as const;

export type RetryReason = (typeof RETRY_REASONS)[number];

/** Lanes that one retry can name; more than anybody has. */
const MAX_LANES = 50;

/** `POST /v1/batches/{id}/retry`, the request. `completion_window` and `metadata` are checked as those of a new batch. */
export const batchRetrySchema = z.object({
  only: z.array(z.enum(RETRY_REASONS)).min(1).optional(),
  lanes: z.array(z.string().min(1).max(200)).min(1).max(MAX_LANES).optional(),
  completion_window: z.unknown().optional(),
  metadata: z.unknown().optional(),
});

export type BatchRetryRequest = z.infer<typeof batchRetrySchema>;

/** Why a line has no answer; null for one that has it. */
export function retryReason(line: {
  readonly kind: 'completed' | 'failed';
  readonly error: LineOutcome['error'];
}): RetryReason | null {
  if (line.kind === 'completed') return null;
  switch (line.error?.code) {
    case 'batch_expired':
      return 'expired';
    case 'batch_cancelled':
      return 'cancelled';
    default:
      return 'failed';
  }
}
