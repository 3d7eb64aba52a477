import type { AttemptFailure } from '../../core/contracts/failure.ts';
import type { Lane } from '../../core/lane-port.ts';
import type { CostMicros } from '../prices/costs.ts';

/** A lane that this process hosts, as those see it who send it requests. */
export interface HostedLane {
  readonly lane: Lane;
  /** The lane's own prices, where its owner has set some. */
  readonly costMicros?: CostMicros;
  /**
   * Whether it takes such requests now; if not, why, and until when where that is known. A lane that is out asks nobody.
   * Batch lines find it closed earlier: they leave the plan its weekly reserve.
   */
  availability(
    priority?: 'interactive' | 'batch',
  ): { readonly open: true } | { readonly open: false; readonly until?: number; readonly why: string };
  /** Waits for one of the lane's slots, interactive before batch. Rejects with the signal's reason. */
  acquire(priority: 'interactive' | 'batch', signal: AbortSignal): Promise<() => void>;
  /** Takes in what an attempt says of the lane, and keeps it before it returns. */
  reportFailure(failure: AttemptFailure): Promise<void>;
  reportAnswer(): Promise<void>;
}

/** The lanes of this process, by id. */
export interface LaneHost {
  find(laneId: string): HostedLane | undefined;
}
