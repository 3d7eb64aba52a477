import type { LanePlan } from '../core/contracts/batch.ts';
import type { LaneDirectory } from '../lanes/policy/lane-directory.ts';
import type { KeyStore } from '../store/keys.ts';

interface PlanLanesForDeps {
  readonly directory: LaneDirectory;
  readonly keys: Pick<KeyStore, 'find'>;
}

/** The lanes that may serve a model for a batch's key, now. An empty plan means: wait, and plan again. */
export function createPlanLanesFor({ directory, keys }: PlanLanesForDeps) {
  return async function planLanesFor({ keyId, model }: { keyId: string; model: string }): Promise<LanePlan> {
    const key = await keys.find(keyId);
    // A revoked key starts nothing new; what it was told is taken in is finished.
    const plan = await directory.plan(model, { planLanes: key?.planLanes ?? false });
    return { model, lanes: plan.known ? plan.lanes : [] };
  };
}
