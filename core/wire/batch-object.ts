import { toUnixSeconds } from '../clock.ts';
import type { BatchStatus } from '../contracts/batch.ts';
import type { TokenUsage } from '../lane-port.ts';

/** One entry of a batch's `errors`. */
export interface BatchError {
  readonly code: string;
  readonly message: string;
  readonly param: string | null;
  /** Counts from 1; null where it is about the whole file. */
  readonly line: number | null;
}

/** A batch as it is known to us; times are Unix milliseconds. */
export interface BatchFacts {
  readonly _id: string;
  readonly endpoint: string;
  /** The model where all lines name the same one. */
  readonly model: string | null;
  readonly errors: readonly BatchError[] | null;
  readonly inputFileId: string;
  readonly completionWindow: string;
  readonly status: BatchStatus;
  readonly outputFileId: string | null;
  readonly errorFileId: string | null;
  readonly createdAt: number;
  readonly inProgressAt: number | null;
  readonly expiresAt: number;
  readonly finalizingAt: number | null;
  readonly completedAt: number | null;
  readonly failedAt: number | null;
  readonly expiredAt: number | null;
  readonly cancellingAt: number | null;
  readonly cancelledAt: number | null;
  readonly counts: { readonly total: number; readonly completed: number; readonly failed: number };
  readonly usage: TokenUsage;
  /** Pairs, so that no key of a caller's becomes the name of a field. */
  readonly metadata: readonly { readonly key: string; readonly value: string }[] | null;
}

/** OpenAI's batch object, every field. */
export function toBatchObject(batch: BatchFacts) {
  const seconds = (at: number | null): number | null => (at === null ? null : toUnixSeconds(at));
  const { usage } = batch;
  return {
    id: batch._id,
    object: 'batch' as const,
    endpoint: batch.endpoint,
    model: batch.model,
    errors: batch.errors === null ? null : { object: 'list' as const, data: batch.errors },
    input_file_id: batch.inputFileId,
    completion_window: batch.completionWindow,
    status: batch.status,
    output_file_id: batch.outputFileId,
    error_file_id: batch.errorFileId,
    created_at: toUnixSeconds(batch.createdAt),
    in_progress_at: seconds(batch.inProgressAt),
    expires_at: toUnixSeconds(batch.expiresAt),
    finalizing_at: seconds(batch.finalizingAt),
    completed_at: seconds(batch.completedAt),
    failed_at: seconds(batch.failedAt),
    expired_at: seconds(batch.expiredAt),
    cancelling_at: seconds(batch.cancellingAt),
    cancelled_at: seconds(batch.cancelledAt),
    request_counts: { total: batch.counts.total, completed: batch.counts.completed, failed: batch.counts.failed },
    usage: {
      input_tokens: usage.promptTokens,
      input_tokens_details: { cached_tokens: usage.cachedPromptTokens },
      output_tokens: usage.completionTokens,
      output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
      total_tokens: usage.promptTokens + usage.completionTokens,
    },
    metadata: batch.metadata === null ? null : toRecord(batch.metadata),
  };
}

export type BatchObject = ReturnType<typeof toBatchObject>;

function toRecord(pairs: readonly { readonly key: string; readonly value: string }[]): Record<string, string> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, value]));
}
