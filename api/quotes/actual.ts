import { TERMINAL_BATCH_STATES } from '../../core/contracts/batch.ts';
import type { BatchDoc } from '../../store/batches.ts';

/** What a batch has taken so far, or in all once it is over, in the units of its quote. Money is null where no line's is known. */
export function actualOf(batch: BatchDoc, now: number) {
  const { status, counts, usage, byLane = {} } = batch;
  const tallies = Object.values(byLane);
  const lines = counts.completed + counts.failed;
  const usd = (sum: 'costMicros' | 'meterMicros', unknown: 'costUnknown' | 'meterUnknown') => {
    const unpriced = tallies.reduce((total, tally) => total + tally[unknown], 0);
    if (tallies.length === 0 || (lines > 0 && unpriced >= lines)) return null;
    return tallies.reduce((total, tally) => total + tally[sum], 0) / 1_000_000;
  };
  const endedAt = batch.completedAt ?? batch.failedAt ?? batch.expiredAt ?? batch.cancelledAt;
  return {
    status,
    is_final: TERMINAL_BATCH_STATES.includes(status),
    lines: { total: counts.total, completed: counts.completed, failed: counts.failed },
    input_tokens: usage.promptTokens,
    output_tokens: usage.completionTokens,
    cost_usd: usd('costMicros', 'costUnknown'),
    meter_usd: usd('meterMicros', 'meterUnknown'),
    duration_seconds: Math.round(((endedAt ?? now) - batch.createdAt) / 1_000),
  };
}
