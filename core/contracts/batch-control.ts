import type { MeteredConsent } from './metered-consent.ts';

/** Which batch goes first where several wait for one lane. Interactive requests go before all of them. */
export type BatchPriority = 'low' | 'normal' | 'high';

/**
 * What lines do while the plan is out:
 * - late: they wait for it as long as the deadline allows, and go to metered lanes only then
 * - now: they go to the next lane of their route at once
 */
export type BatchSpill = 'late' | 'now';

/** What the owner of a batch wants of it, changed at any time while it runs. The database is the truth of it. */
export interface BatchControl {
  /** Nothing new is sent out; what is out finishes. The deadline goes on. */
  readonly paused: boolean;
  readonly priority: BatchPriority;
  /** The batch's own word on metered spend; the strictest of batch, key and route decides. */
  readonly metered: MeteredConsent;
  readonly spill: BatchSpill;
}

export const BATCH_PRIORITIES: readonly BatchPriority[] = ['low', 'normal', 'high'];
export const BATCH_SPILLS: readonly BatchSpill[] = ['late', 'now'];

export const DEFAULT_CONTROL: BatchControl = { paused: false, priority: 'normal', metered: 'auto', spill: 'late' };

/** Tells a running batch, and the batch its chunks, that its control has changed in the database. It carries nothing. */
export const CONTROL_CHANGED_SIGNAL = 'controlChanged';
