import { randomUUID } from 'node:crypto';
import type { LanePlan } from '../core/contracts/batch.ts';
import type { KeyStore } from '../store/keys.ts';
import type { BatchStore } from '../store/batches.ts';
import type { PlanLanesInput } from './activities.ts';
import { planBatch, type PlanBatchDeps } from './planning/plan-batch.ts';

interface PlanLanesForDeps extends PlanBatchDeps {
  readonly keys: Pick<KeyStore, 'find'>;
  readonly batches: Pick<BatchStore, 'find'>;
}

/** The lanes that may serve a model for a key's batch, or its request that waits, now. An empty plan means: wait, and plan again. */
export function createPlanLanesFor(deps: PlanLanesForDeps) {
  const { directory, keys, batches } = deps;
  return async function planLanesFor(input: PlanLanesInput): Promise<LanePlan> {
    const { keyId, model, purpose = 'batch', batchId } = input;
    const key = await keys.find(keyId);
    const batch = batchId === undefined ? null : await batches.find(batchId);
    if (batch !== null) return planBatch(deps, batch, key, model);
    // A revoked key starts nothing new; what it was told is taken in is finished.
    const permissions = { planLanes: key?.planLanes ?? false, metered: key?.metered ?? 'auto', purpose } as const;
    // A request that waits has its order already, and wants to know who is back.
    const shareKey = purpose === 'batch' ? () => ({ seed: randomUUID(), sticky: false }) : undefined;
    const plan = await directory.plan(model, permissions, shareKey);
    return { model, lanes: plan.known ? plan.lanes : [] };
  };
}
