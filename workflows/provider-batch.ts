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
 * batch. Whatever has no outcome after it is served by the batch's chunks as usual. Cancelled at any moment, it ends the
 * provider's batch and still takes in what was done, for that is paid.
 */
export async function providerBatchWorkflow(input: ProviderBatchInput): Promise<void> {
  for (let attempt = 1; attempt <= PROVIDER_BATCH_TRIES; attempt += 1) {
    const submitted = await submit({ ...input, attempt });
    if (!submitted.sent) return;
    const run = { ...input, attempt, providerBatchId: submitted.providerBatchId };
    let status: Status = 'running';
    let cancellation: unknown;
    try {
      status = await lookUntil(run, input.takenBackAt);
    } catch (error) {
      // Else nobody serves the lane any more.
      if (isCancellation(error)) cancellation = error;
    }
    await CancellationScope.nonCancellable(async () => {
      if (status === 'running') status = await takeBack(run);
      await atProvider(run).mergeProviderBatch(run);
    });
    if (cancellation !== undefined) throw cancellation;
    if (status !== 'failed') return;
  }
}

type Activities = ReturnType<typeof providerBatchActivities>;
type Run = Parameters<Activities['mergeProviderBatch']>[0];
type Try = Parameters<Activities['submitProviderBatch']>[0];
type Status = Awaited<ReturnType<Activities['readProviderBatch']>>;

const atProvider = ({ lane }: Try, limitMs?: number): Activities => providerBatchActivities(lane.laneId, limitMs);

/** Sends the lines. One that the provider made in the very moment of a cancellation is found, and taken back like any other. */
async function submit(tried: Try): ReturnType<Activities['submitProviderBatch']> {
  try {
    return await atProvider(tried).submitProviderBatch(tried);
  } catch (error) {
    if (!isCancellation(error)) throw error;
    return CancellationScope.nonCancellable(() => atProvider(tried, CANCEL_LIMIT_MS).findProviderBatch(tried));
  }
}

/** Looks until the provider's batch is over or the time is; `running` in the latter case. */
async function lookUntil(run: Run, until: number): Promise<Status> {
  let pauseMs = FIRST_LOOK_MS;
  while (Date.now() < until) {
    await sleep(Math.max(1, Math.min(pauseMs, until - Date.now())));
    pauseMs = Math.min(pauseMs * 2, LONGEST_LOOK_MS);
    const status = await atProvider(run).readProviderBatch(run);
    if (status !== 'running') return status;
  }
  return 'running';
}

/** Cancels at the provider and waits until it has, both within a time: the end of the batch does not wait for a provider for ever. */
async function takeBack(run: Run): Promise<Status> {
  const until = Date.now() + CANCEL_LIMIT_MS;
  try {
    await atProvider(run, CANCEL_LIMIT_MS).cancelProviderBatch(run);
    return await lookUntil(run, until);
  } catch {
    // It can't be reached: whether and what it has done is not known, and its money counts as spent.
    return 'running';
  }
}
