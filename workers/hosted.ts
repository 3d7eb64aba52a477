import type { HostedLane } from '../lanes/policy/hosted-lane.ts';
import type { LaneDoc } from '../store/lanes.ts';

/** A lane with all that this process runs for it. */
export interface Hosted {
  readonly lane: HostedLane;
  /** The most tasks at a time that it may ever serve. */
  readonly concurrency: number;
  /** True when it may not go on in this process: it is ended, and begun anew where that is possible. */
  lost(): boolean;
  /** Takes in a changed document. */
  refresh(doc: LaneDoc): void;
  stop(): Promise<void>;
}
