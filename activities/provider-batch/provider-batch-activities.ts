import { CancelledFailure } from '@temporalio/activity';
import type { ProviderBatchTry } from '../../core/contracts/provider-batch.ts';
import type { CostMicros } from '../../lanes/prices/costs.ts';
import { ProviderRefusalError, type ProviderBatchStatus } from '../../lanes/openai/provider-batches.ts';
import type { LaneHost } from '../../lanes/policy/hosted-lane.ts';
import type { ProviderBatchActivities } from '../activities.ts';
import { createMergeProviderBatch, type MergeProviderBatchDeps } from './merge-provider-batch.ts';
import { findMade } from './find-made.ts';
import type { ProviderLane } from './provider-run.ts';
import { createSubmitProviderBatch, type SubmitProviderBatchDeps } from './submit-provider-batch.ts';

interface ProviderBatchDeps extends Omit<SubmitProviderBatchDeps & MergeProviderBatchDeps, 'providerLane'> {
  readonly host: LaneHost;
  /** Prices of lanes whose owner has set none. */
  readonly costMicros: CostMicros;
  /** Has an activity say that it goes on while it waits for the provider: a second delivery would send everything again. */
  readonly keepAlive: <Result>(run: () => Promise<Result>) => Promise<Result>;
}

/** What a worker does at the Batch API of a key lane's provider. */
export function createProviderBatchActivities(deps: ProviderBatchDeps): ProviderBatchActivities {
  /** An activity looks for its lane once, and ends on it as it began, whatever the owner changes meanwhile. */
  const onLane = <Result>(
    { lane: { laneId } }: Pick<ProviderBatchTry, 'lane'>,
    run: (providerLane: ProviderLane) => Promise<Result>,
  ): Promise<Result> => {
    const hosted = deps.host.find(laneId);
    if (hosted?.providerBatches === undefined) throw new Error(`Lane ${laneId} is not here, or is no key lane.`);
    const { providerBatches, costMicros = deps.costMicros } = hosted;
    return providerBatches.whileUnderWay(() => run({ ...providerBatches, costMicros }));
  };
  /** Runs with signs of life. What a cancellation has cut off ends as cancelled, whatever the cut connection says. */
  const alive = <Result>(run: () => Promise<Result>): Promise<Result> =>
    deps.keepAlive(async () => {
      try {
        return await run();
      } catch (error) {
        if (deps.signal().aborted) throw new CancelledFailure('cancelled, or the worker stops');
        throw error;
      }
    });
  return {
    submitProviderBatch: (run) =>
      alive(() => onLane(run, (providerLane) => createSubmitProviderBatch({ ...deps, providerLane })(run))),

    findProviderBatch: (run) =>
      alive(async () => {
        const providerBatchId = await onLane(run, (providerLane) => findMade({ ...deps, providerLane }, run));
        return providerBatchId === undefined
          ? { sent: false, why: 'it was cancelled before it was made' }
          : { sent: true, providerBatchId };
      }),

    /** One that can't be read now runs on as far as anybody knows; one that the provider does not know any more has failed. */
    readProviderBatch: (run) =>
      alive(async (): Promise<ProviderBatchStatus> => {
        const { batchId, lane, providerBatchId } = run;
        try {
          return (await onLane(run, ({ api }) => api.read(providerBatchId, deps.signal()))).status;
        } catch (error) {
          if (deps.signal().aborted) throw error;
          deps.log.warn({ err: error, batchId, laneId: lane.laneId }, 'a batch of a provider could not be looked at');
          return error instanceof ProviderRefusalError && error.status === 404 ? 'failed' : 'running';
        }
      }),

    cancelProviderBatch: (run) => alive(() => onLane(run, ({ api }) => api.cancel(run.providerBatchId, deps.signal()))),

    mergeProviderBatch: (run) =>
      alive(() => onLane(run, (providerLane) => createMergeProviderBatch({ ...deps, providerLane })(run))),
  };
}
