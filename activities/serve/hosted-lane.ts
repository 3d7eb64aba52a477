import type { AttemptFailure } from '../../core/contracts/failure.ts';
import type { Lane } from '../../core/lane-port.ts';

/** A lane that this process hosts, as the activities see it. */
export interface HostedLane {
  readonly lane: Lane;
  /** Whether it takes requests now; if not, why, and until when where that is known. A lane that is out asks nobody. */
  availability(): { readonly open: true } | { readonly open: false; readonly until?: number; readonly why: string };
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
