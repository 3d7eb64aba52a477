import type { BatchControlStore } from '../../store/batch-control.ts';
import type { BatchDoc } from '../../store/batches.ts';

export interface TellControlDeps {
  readonly batchControl: Pick<BatchControlStore, 'markTold'>;
  /** Has the batch's workflow look at what is stored. Safe to repeat. */
  readonly wakeBatch: (batchId: string) => Promise<void>;
}

type Changed = Pick<BatchDoc, '_id' | 'controlChanges' | 'controlTold'>;

/** True while the workflow of a batch does not know of the last change: it could not be told, or whoever changed it died before. */
export function isUntold({ controlChanges, controlTold }: Changed): boolean {
  return controlChanges !== controlTold;
}

/**
 * Tells the workflow of a batch that its control has changed, and notes that. Left out, a pause comes through by itself, since lines
 * look before they go out; but a paused batch would look only minutes after it is resumed, and lines that had no money would not ask for it again.
 */
export async function tellControl({ batchControl, wakeBatch }: TellControlDeps, changed: Changed): Promise<void> {
  await wakeBatch(changed._id);
  if (changed.controlChanges !== undefined) await batchControl.markTold(changed._id, changed.controlChanges);
}
