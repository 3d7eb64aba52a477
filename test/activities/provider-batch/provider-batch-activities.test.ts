import { CancelledFailure } from '@temporalio/activity';
import { describe, expect, it } from 'vitest';
import type { ProviderBatchRun } from '../../../core/contracts/provider-batch.ts';
import type { ProviderBatchActivities } from '../../../activities/activities.ts';
import { useProviderBatchWorld } from '../../support/provider-batch-world.ts';

const world = useProviderBatchWorld();

const ALL = [
  'submitProviderBatch',
  'findProviderBatch',
  'readProviderBatch',
  'cancelProviderBatch',
  'mergeProviderBatch',
] as const satisfies readonly (keyof ProviderBatchActivities)[];

describe('what is done at the Batch API of a provider', () => {
  it.each(ALL)('gives signs of life while %s waits for the provider', async (name) => {
    const { run } = await world.start(['a']);
    const taken: ProviderBatchRun = await world.sent(run);
    let beats = 0;
    const activities = world.activities({
      keepAlive: (work) => {
        beats += 1;
        return work();
      },
    });
    await activities[name](taken);
    expect(beats).toBe(1);
  });

  it.each(ALL)('is under way on one lane from the beginning of %s to its end', async (name) => {
    const { run } = await world.start(['a']);
    const taken: ProviderBatchRun = await world.sent(run);
    const seen: string[] = [];
    const whileUnderWay = async <Result>(work: () => Promise<Result>): Promise<Result> => {
      seen.push('begins');
      return work().finally(() => seen.push('ends'));
    };
    const activities = world.activities({ access: { whileUnderWay } });
    await activities[name](taken);
    expect(seen).toEqual(['begins', 'ends']);
  });

  it.each(ALL)('ends %s as cancelled when that is cancelled while the provider says nothing', async (name) => {
    const { run } = await world.start(['a']);
    const controller = new AbortController();
    // A provider that takes every request and answers none, until the request is ended.
    const hang = (ends: AbortSignal | undefined): Promise<never> =>
      new Promise((_, reject) => {
        ends?.addEventListener('abort', () => reject(new Error('the connection is cut')));
        controller.abort();
      });
    const silent = {
      find: (_: string, ends?: AbortSignal) => hang(ends),
      read: (_: string, ends?: AbortSignal) => hang(ends),
      cancel: (_: string, ends?: AbortSignal) => hang(ends),
    };
    const create = ({ signal }: { readonly signal?: AbortSignal }): Promise<never> => hang(signal);
    const activities = world.activities({
      api: name === 'submitProviderBatch' ? { create } : silent,
      signal: () => controller.signal,
    });
    const ended = activities[name]({ ...run, providerBatchId: 'batch_1' });
    await expect(ended).rejects.toBeInstanceOf(CancelledFailure);
  });
});
