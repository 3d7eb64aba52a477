import type { AnnounceInput } from '../core/contracts/webhook.ts';
import { announceEnd } from './announce-end.ts';

/** Announces the end of a batch whose own workflow was lost between that end and the announcement. Nothing of the batch runs again. */
export async function announceWorkflow({ batchId }: AnnounceInput): Promise<void> {
  await announceEnd(batchId);
}
