import type { AttemptFailure } from '../../core/contracts/failure.ts';
import type { Lane } from '../../core/lane-port.ts';
import type { CostMicros } from '../prices/costs.ts';
import type { ProviderBatches } from '../openai/provider-batches.ts';
import type { SlotPriority } from './slots.ts';

export type LaneAvailability =
  | { readonly open: true }
  | {
      readonly open: false;
      readonly until?: number;
      readonly why: string;
      /** True while it pauses after failures or a rate limit: no window is used up. */
      readonly backsOff?: boolean;
    };

/** A lane that this process hosts, as those see it who send it requests. */
export interface HostedLane {
  readonly lane: Lane;
  /** The lane's own prices, where its owner has set some. */
  readonly costMicros?: CostMicros;
  /** Of a key lane. */
  readonly providerBatches?: ProviderBatchAccess;
  /**
   * Whether it takes such requests now; if not, why, and until when where that is known. A lane that is out asks nobody.
   * Batch lines find it closed earlier: they leave the plan its weekly reserve.
   */
  availability(priority?: SlotPriority): LaneAvailability;
  /** Waits for one of the lane's slots, by its priority. Rejects with the signal's reason. */
  acquire(priority: SlotPriority, signal: AbortSignal): Promise<() => void>;
  /** Requests that have one of its slots. */
  inFlight?(): number;
  /** Takes in what an attempt says of the lane, and keeps it before it returns. */
  reportFailure(failure: AttemptFailure): Promise<void>;
  reportAnswer(): Promise<void>;
}

/**
 * A provider's own Batch API, and what a line costs there as a share of its usual price; null when its owner does not want it used.
 * What was sent before is taken in all the same: it is paid.
 */
export interface ProviderBatchAccess {
  readonly api: ProviderBatches;
  readonly priceShare: number | null;
  /** Runs something that needs the API: a changed lane stays as it is until it is over. It has no slot, and is no load. */
  whileUnderWay<Result>(run: () => Promise<Result>): Promise<Result>;
}

/** The lanes of this process, by id. */
export interface LaneHost {
  find(laneId: string): HostedLane | undefined;
}
