import { describe, expect, it } from 'vitest';
import { HOLD_IS_DEAD_AFTER_MS, holdKey, isDeadHold } from '../../../core/contracts/holds.ts';
import { CANCEL_LIMIT_MS, MERGE_LIMIT_MS } from '../../../core/contracts/provider-batch.ts';
import {
  isHoldOfRun,
  isProviderHold,
  providerBatchWorkflowId,
  providerHold,
  providerMarker,
} from '../../../core/contracts/provider-run.ts';

const TAKEN_BACK_AT = 1_700_000_000_000;
const tried = (number: number | undefined, attempt = 1, firstChunk = 3) => ({
  batchId: 'batch_1',
  firstChunk,
  attempt,
  takenBackAt: TAKEN_BACK_AT,
  ...(number === undefined ? {} : { number }),
});

describe('the names of a run at a provider', () => {
  it('are its own, although another run begins at the same chunk', () => {
    // Of an earlier version, of its number, of the chunk that it begins at, and of the next runs of both.
    const all = [tried(undefined), tried(3), tried(1), tried(1, 2), tried(2), tried(11)];
    for (const name of [providerMarker, providerHold])
      expect(new Set(all.map((one) => name(one))).size).toBe(all.length);
    expect(new Set([undefined, 1, 2, 3].map((number) => providerBatchWorkflowId(tried(number)))).size).toBe(4);
  });

  it('stay what they were for a run of an earlier version', () => {
    expect(providerMarker(tried(undefined))).toBe('batch_1:3:1');
    expect(providerHold(tried(undefined))).toBe('provider-3-1');
    expect(providerBatchWorkflowId(tried(undefined))).toBe('batch_1/provider-3');
  });

  it('tell the holds of one run from those of another', () => {
    expect(isHoldOfRun(providerHold(tried(1, 2)), 1)).toBe(true);
    expect(isHoldOfRun(providerHold(tried(11)), 1)).toBe(false);
    expect(isHoldOfRun(providerHold(tried(undefined, 1, 1)), 1)).toBe(false);
  });
});

describe('money that is held for a run at a provider', () => {
  it('counts as dead when the run would have been taken back and merged, and not before', () => {
    const hold = providerHold(tried(1));
    const end = TAKEN_BACK_AT + CANCEL_LIMIT_MS + MERGE_LIMIT_MS;
    expect(isProviderHold(hold)).toBe(true);
    expect(isDeadHold(hold, undefined, end)).toBe(false);
    expect(isDeadHold(hold, undefined, end + 1)).toBe(true);
  });

  it('never counts as dead for a run of an earlier version, which does not say when it ends', () => {
    expect(isDeadHold(providerHold(tried(undefined)), undefined, TAKEN_BACK_AT * 2)).toBe(false);
  });

  it('leaves the holds of groups of lines what they were', () => {
    const key = holdKey({ scheduledAt: TAKEN_BACK_AT, chunkIndex: 1, activityId: '7', runId: 'r', delivery: 1 });
    expect(isDeadHold(key, undefined, TAKEN_BACK_AT + HOLD_IS_DEAD_AFTER_MS)).toBe(false);
    expect(isDeadHold(key, undefined, TAKEN_BACK_AT + HOLD_IS_DEAD_AFTER_MS + 1)).toBe(true);
  });
});
