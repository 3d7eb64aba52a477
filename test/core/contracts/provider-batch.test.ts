import { describe, expect, it } from 'vitest';
import { chunksForProvider, type ProviderBatchFacts } from '../../../core/contracts/provider-batch.ts';

const HOUR_MS = 3_600_000;
const facts = (given: Partial<ProviderBatchFacts>): ProviderBatchFacts => ({
  now: 10 * HOUR_MS,
  planReturnsAt: 14 * HOUR_MS,
  latestMoment: 20 * HOUR_MS,
  startedAt: 5 * HOUR_MS,
  doneLines: 900,
  remainingLines: 4_000,
  openChunks: 12,
  linesInAChunk: 250,
  ...given,
});

describe('what goes to the Batch API of a provider', () => {
  it.each<[string, Partial<ProviderBatchFacts>, number]>([
    // 900 lines in the 9 hours until its return are 600 in the 6 hours after it: 1,400 of 2,000 are left, 5.6 chunks.
    ['is what the plan can’t do between its return and the latest moment', { remainingLines: 2_000 }, 6],
    ['is nothing while the plan is open', { planReturnsAt: 0 }, 0],
    ['is nothing when the plan can do all of it', { remainingLines: 600 }, 0],
    ['is one chunk when the plan lacks a few lines', { remainingLines: 610 }, 1],
    ['is all that has not begun when the plan comes back too late', { planReturnsAt: 21 * HOUR_MS, openChunks: 3 }, 3],
    ['is nothing when no chunk is left', { openChunks: 0 }, 0],
    ['is nothing less than an hour before calls must begin', { latestMoment: 10.9 * HOUR_MS }, 0],
    ['is everything when the plan was out from the start', { doneLines: 0, openChunks: 12 }, 12],
    ['leaves alone what has begun', { openChunks: 2 }, 2],
  ])('%s', (_, given, chunks) => {
    expect(chunksForProvider(facts(given))).toBe(chunks);
  });
});
