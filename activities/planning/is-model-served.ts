import type { LaneDirectory } from '../../lanes/policy/lane-directory.ts';
import type { BatchDoc } from '../../store/batches.ts';
import type { KeyStore } from '../../store/keys.ts';
import { batchPermissions } from './batch-permissions.ts';

interface IsModelServedDeps {
  readonly directory: LaneDirectory;
  readonly keys: Pick<KeyStore, 'find'>;
}

/** True if some lane that a batch may use serves a model, whatever state it is in now. */
export function createIsModelServed({ directory, keys }: IsModelServedDeps) {
  return async function isModelServed(batch: BatchDoc, model: string): Promise<boolean> {
    const plan = await directory.plan(model, batchPermissions(await keys.find(batch.ownerId), batch));
    return plan.known && !plan.forbidden;
  };
}
