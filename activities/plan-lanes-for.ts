import type { LanePlan } from '../core/contracts/batch.ts';
import type { PlanLanesInput } from './activities.ts';
import type { LaneDirectory } from '../lanes/policy/lane-directory.ts';
import type { KeyStore } from '../store/keys.ts';

interface PlanLanesForDeps {
  readonly directory: LaneDirectory;
  readonly keys: Pick<KeyStore, 'find'>;
}

/** The lanes that may serve a model for a key's batch, or its request that waits, now. An empty plan means: wait, and plan again. */
export function createPlanLanesFor({ directory, keys }: PlanLanesForDeps) {
  return async function planLanesFor({ keyId, model, purpose = 'batch' }: PlanLanesInput): Promise<LanePlan> {
    const key = await keys.find(keyId);
    // A revoked key starts nothing new; what it was told is taken in is finished.
    const plan = await directory.plan(model, {
      planLanes: key?.planLanes ?? false,
      metered: key?.metered ?? 'auto',
      purpose,
    });
    return { model, lanes: plan.known ? plan.lanes : [] };
  };
}
