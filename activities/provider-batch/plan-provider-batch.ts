import type { Clock } from '../../core/clock.ts';
import { LINES_IN_A_CHUNK } from '../../core/contracts/batch.ts';
import {
  CANCEL_LIMIT_MS,
  chunksForProvider,
  type PlanProviderBatchInput,
  type ProviderBatchInput,
} from '../../core/contracts/provider-batch.ts';
import { batchPriceShare } from '../../lanes/openai/batch-price.ts';
import type { BatchStore } from '../../store/batches.ts';
import type { KeyStore } from '../../store/keys.ts';
import type { LaneStore } from '../../store/lanes.ts';
import { planBatch, type PlanBatchDeps } from '../planning/plan-batch.ts';

export interface PlanProviderBatchDeps extends PlanBatchDeps {
  readonly batches: Pick<BatchStore, 'find'>;
  readonly keys: Pick<KeyStore, 'find'>;
  readonly lanes: Pick<LaneStore, 'find'>;
  readonly clock: Clock;
}

/**
 * Which part of a batch, if any, goes to the Batch API of a metered lane's provider now: the rung between the plan and calls on
 * a key lane. Only for a batch that waits for its plan, whose lines name one model, as providers want it. A run that
 * is not over comes first, for a batch that was begun anew does not know of it.
 */
export function createPlanProviderBatch(deps: PlanProviderBatchDeps) {
  return async function planProviderBatch(input: PlanProviderBatchInput): Promise<ProviderBatchInput | null> {
    const { batchId, nextChunk, endChunk } = input;
    const batch = await deps.batches.find(batchId);
    if (batch === null) return null;
    const { model, ownerId: keyId, counts, createdAt, inProgressAt, expiresAt, providerRun } = batch;
    if (providerRun !== undefined && !providerRun.isOver) {
      const { made: _, isOver: __, ...run } = providerRun;
      return { batchId, keyId, expiresAt, ...run };
    }
    if (model === null || batch.control.paused) return null;
    const { lanes } = await planBatch(deps, batch, await deps.keys.find(keyId), model);
    const planReturns = lanes.filter(({ kind }) => kind === 'plan').map(({ unavailableUntil }) => unavailableUntil);
    const now = deps.clock.now();
    const open = lanes.filter(({ unavailableUntil }) => unavailableUntil <= now);
    for (const lane of open) {
      const { heldUntil, unavailableUntil: _, ...ref } = lane;
      // Only a lane that stands behind the plan; one that its owner put before it serves calls now.
      if (heldUntil === undefined) continue;
      const share = batchPriceShare((await deps.lanes.find(lane.laneId))?.keySettings ?? null);
      if (share === null) continue;
      // Taking back takes its time, and calls must begin when it is over.
      const takenBackAt = heldUntil - CANCEL_LIMIT_MS;
      const doneLines = counts.completed + counts.failed;
      const chunks = chunksForProvider({
        now,
        planReturnsAt: Math.min(...planReturns),
        latestMoment: takenBackAt,
        startedAt: inProgressAt ?? createdAt,
        doneLines,
        remainingLines: counts.total - doneLines,
        openChunks: endChunk - nextChunk,
        linesInAChunk: LINES_IN_A_CHUNK,
      });
      if (chunks === 0) return null;
      const number = (providerRun?.number ?? 0) + 1;
      const firstChunk = endChunk - chunks;
      return { batchId, keyId, lane: ref, model, firstChunk, endChunk, takenBackAt, number, expiresAt };
    }
    return null;
  };
}
