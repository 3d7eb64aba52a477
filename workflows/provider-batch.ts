import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';
import {
  CANCEL_LIMIT_MS,
  FIRST_LOOK_MS,
  LONGEST_LOOK_MS,
  PROVIDER_BATCH_TRIES,
  type ProviderBatchInput,
} from '../core/contracts/provider-batch.ts';
import { providerBatchActivities } from './proxies.ts';

/**
 * Lines of a batch through a provider's own Batch API: sent, looked at from time to time, and what came of it merged into the
 * batch. Whatever has no outcome after it is served by the batch's chunks as usual. Cancelled, it ends the provider's batch and
 * still takes in what was done, for that is paid.
 */
export async function providerBatchWorkflow(input: ProviderBatchInput): Promise<void> {
  const activities = providerBatchActivities(input.lane.laneId);
  for (let attempt = 1; attempt <= PROVIDER_BATCH_TRIES; attempt += 1) {
    const submitted = await activities.submitProviderBatch({ ...input, attempt });
    if (!submitted.sent) return;
    const run = { ...input, attempt, providerBatchId: submitted.providerBatchId };
    let status = 'running';
    try {
      status = await lookUntil(run, input.takenBackAt);
      if (status === 'running') status = await takeBack(run);
    } catch (error) {
      if (!isCancellation(error)) throw error;
      await CancellationScope.nonCancellable(async () => {
        await takeBack(run);
        await activities.mergeProviderBatch(run);
      });
      throw error;
    }
    await activities.mergeProviderBatch(run);
    if (status !== 'failed') return;
  }
}

type Run = Parameters<ReturnType<typeof providerBatchActivities>['mergeProviderBatch']>[0];

/** Looks until the provider's batch is over or the time is; `running` in the latter case. */
async function lookUntil(run: Run, until: number): Promise<string> {
  let pauseMs = FIRST_LOOK_MS;
  while (Date.now() < until) {
    await sleep(Math.max(1, Math.min(pauseMs, until - Date.now())));
    pauseMs = Math.min(pauseMs * 2, LONGEST_LOOK_MS);
    const status = await providerBatchActivities(run.lane.laneId).readProviderBatch(run);
    if (status !== 'running') return status;
  }
  return 'running';
}

/** Cancels at the provider and waits until it has. */
async function takeBack(run: Run): Promise<string> {
  await providerBatchActivities(run.lane.laneId).cancelProviderBatch(run);
  return lookUntil(run, Date.now() + CANCEL_LIMIT_MS);
}
