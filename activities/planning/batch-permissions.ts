import { DEFAULT_CONTROL } from '../../core/contracts/batch-control.ts';
import { stricterConsent } from '../../core/contracts/metered-consent.ts';
import { operationOfEndpoint } from '../../core/wire/batch-endpoints.ts';
import type { LanePermissions } from '../../lanes/policy/plan-lanes.ts';
import type { BatchDoc } from '../../store/batches.ts';
import type { KeyDoc } from '../../store/keys.ts';

/**
 * What the lines of a batch may use. What a key was told is taken in is finished, also when it is revoked, unless it was revoked to end
 * that as well: then nothing new goes out (`planBatch`), and the batch is cancelled. A plan has no embeddings; and where
 * an owner lets the request decide on metered spend, a batch decides by naming its limit.
 */
export function batchPermissions(
  key: Pick<KeyDoc, 'planLanes' | 'metered'> | null,
  batch: Pick<BatchDoc, 'endpoint' | 'control' | 'spend'>,
): LanePermissions {
  const { metered } = batch.control ?? DEFAULT_CONTROL;
  return {
    planLanes: (key?.planLanes ?? false) && operationOfEndpoint(batch.endpoint) !== 'embeddings',
    metered: stricterConsent(key?.metered, metered),
    allowMetered: (batch.spend?.maxMicros ?? null) !== null,
    purpose: 'batch',
  };
}
