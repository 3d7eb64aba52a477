import type { HostedLane } from '../activities/serve/hosted-lane.ts';
import type { LaneDoc } from '../store/lanes.ts';

/** A lane with all that this process runs for it. */
export interface Hosted {
  readonly lane: HostedLane;
  readonly concurrency: number;
  /** Takes in a changed document. */
  refresh(doc: LaneDoc): void;
  stop(): Promise<void>;
}
