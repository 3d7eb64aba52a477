import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';
import {
  CANCEL_LIMIT_MS,
  EXPIRED_CANCEL_LIMIT_MS,
  FIRST_LOOK_MS,
  LANE_IS_GONE_AFTER_MS,
  LONGEST_LOOK_MS,
  LOOK_LIMIT_MS,
  MERGE_LIMIT_MS,
  PROVIDER_BATCH_TRIES,
  type ProviderBatchInput,
} from '../core/contracts/provider-batch.ts';
import { providerBatchActivities, shortActivities } from './proxies.ts';

/**
 * Lines of a batch through a provider's own Batch API: sent, looked at from time to time, and what came of it merged into the
 * batch. Whatever has no outcome after it is served by the batch's chunks as usual. Cancelled at any moment, it ends the
 * provider's batch and still takes in what was done, for that is paid. However it ends, its batch knows that it is over.
 */
export async function providerBatchWorkflow(input: ProviderBatchInput): Promise<void> {
  try {
    await runTries(input);
  } finally {
    // Runs of earlier versions stand nowhere.
    if (input.number !== undefined) await CancellationScope.nonCancellable(() => shortActivities.endProviderRun(input));
  }
}

async function runTries(input: ProviderBatchInput): Promise<void> {
  const scope = CancellationScope.current();
  for (let attempt = 1; attempt <= PROVIDER_BATCH_TRIES; attempt += 1) {
    const tried = { ...input, attempt };
    const submitted = await (isForTakingBack(input) ? find(tried) : submit(tried));
    if (!submitted.sent) return;
    const run = { ...tried, providerBatchId: submitted.providerBatchId };
    let status: Status = 'running';
    let cancellation: unknown;
    try {
      if (input.isTakenBack !== true) status = await lookUntil(run, input.takenBackAt);
    } catch (error) {
      // Else nobody serves the lane any more.
      if (isCancellation(error)) cancellation = error;
    }
    await CancellationScope.nonCancellable(async () => {
      if (status === 'running') status = await takeBack(run);
      await merge(run, () => scope.consideredCancelled);
    });
    if (cancellation !== undefined) throw cancellation;
    if (status !== 'failed') return;
  }
}

type Activities = ReturnType<typeof providerBatchActivities>;
type Run = Parameters<Activities['mergeProviderBatch']>[0];
type Try = Parameters<Activities['submitProviderBatch']>[0];
type Status = Awaited<ReturnType<Activities['readProviderBatch']>>;
type Submitted = ReturnType<Activities['submitProviderBatch']>;

/** @param limitMs how long it is tried for in all */
const atProvider = ({ lane }: Try, limitMs: number): Activities => providerBatchActivities(lane.laneId, limitMs);

/** True when nothing is to be sent any more. Runs of earlier versions were sent at any time. */
function isForTakingBack({ number, isTakenBack, takenBackAt }: ProviderBatchInput): boolean {
  return number !== undefined && (isTakenBack === true || Date.now() >= takenBackAt);
}

/** How long something may take before the run is taken back: no longer than a lane without a worker is waited for. */
function timeLeftMs({ takenBackAt }: Try, leastMs: number): number {
  return Math.max(leastMs, Math.min(LANE_IS_GONE_AFTER_MS, takenBackAt - Date.now()));
}

/** How long taking back may take: the end of the batch does not wait for a provider. */
function cancelLimitMs({ expiresAt = Infinity }: Try): number {
  return Math.max(EXPIRED_CANCEL_LIMIT_MS, Math.min(CANCEL_LIMIT_MS, expiresAt - Date.now()));
}

/**
 * Sends the lines. One that the provider made in the very moment of a cancellation is found, and taken back like any other; one
 * that it made although sending has failed is found, and goes on.
 */
async function submit(tried: Try): Submitted {
  try {
    return await atProvider(tried, timeLeftMs(tried, LOOK_LIMIT_MS)).submitProviderBatch(tried);
  } catch (error) {
    if (!isCancellation(error) && tried.number === undefined) throw error;
    return find(tried);
  }
}

function find(tried: Try): Submitted {
  return CancellationScope.nonCancellable(() => atProvider(tried, cancelLimitMs(tried)).findProviderBatch(tried));
}

/** Looks until the provider's batch is over or the time is; `running` in the latter case. */
async function lookUntil(run: Run, until: number): Promise<Status> {
  let pauseMs = FIRST_LOOK_MS;
  while (Date.now() < until) {
    await sleep(Math.max(1, Math.min(pauseMs, until - Date.now())));
    pauseMs = Math.min(pauseMs * 2, LONGEST_LOOK_MS);
    const leftMs = Math.min(LANE_IS_GONE_AFTER_MS, until - Date.now());
    const status = await atProvider(run, Math.max(LOOK_LIMIT_MS, leftMs)).readProviderBatch(run);
    if (status !== 'running') return status;
  }
  return 'running';
}

/** Cancels at the provider and waits until it has, both within a time. */
async function takeBack(run: Run): Promise<Status> {
  const limitMs = cancelLimitMs(run);
  const until = Date.now() + limitMs;
  try {
    await atProvider(run, limitMs).cancelProviderBatch(run);
    return await lookUntil(run, until);
  } catch {
    // It can't be reached: whether and what it has done is not known, and its money counts as spent.
    return 'running';
  }
}

/**
 * Takes in what was done. Where that fails it is tried again until the run would be taken back. A batch that is cancelled or over
 * waits for one try alone, and so do calls when their time has come.
 */
async function merge(run: Run, isCancelled: () => boolean): Promise<void> {
  const until = Date.now() + timeLeftMs(run, 0);
  for (;;) {
    try {
      return await atProvider(run, MERGE_LIMIT_MS).mergeProviderBatch(run);
    } catch (error) {
      if (isCancelled() || Date.now() >= until) throw error;
    }
  }
}
