import type { Drill, DrillSignal } from './drill.ts';
import type { AttemptFailure, AttemptRecord } from './failure.ts';
import type { LaneRef, PlannedLane } from './lane.ts';

/** Input of `completionWorkflow`: ids, lanes and times; the body is in MongoDB under the request's id. */
export interface CompletionInput {
  readonly requestId: string;
  /** The key that asked, by its public id: the fairness key among interactive requests. */
  readonly keyId: string;
  readonly plan: readonly PlannedLane[];
  /** Unix milliseconds after which nobody waits for the answer. */
  readonly deadlineAt: number;
  /** The caller waits for a lane while all of them are out. Absent: it is told at once. */
  readonly wait?: {
    /** Unix milliseconds; before `deadlineAt`. */
    readonly until: number;
    /** The model that the caller named, to look its lanes up anew. */
    readonly model: string;
  };
  /** A failure that the owner has played on this request. */
  readonly drill?: Drill;
}

/** How a completion ended. The answer itself is in MongoDB. */
export interface CompletionOutcome {
  readonly answered: boolean;
  readonly laneId?: string;
  readonly attempts: readonly AttemptRecord[];
}

/** Input of the activity that tries one request on one lane. */
export interface ServeRequestInput {
  readonly requestId: string;
  readonly lane: LaneRef;
  /** Counts from 1 over all lanes. */
  readonly attempt: number;
  readonly previous: readonly AttemptRecord[];
  readonly deadlineAt: number;
  /** No other lane is open to the request. */
  readonly isLastLane?: boolean;
  /** The signal that this attempt plays instead of going to its lane. */
  readonly drill?: DrillSignal;
}

/** What one attempt came to. */
export type ServeResult =
  | { readonly ok: true; readonly record: AttemptRecord }
  | { readonly ok: false; readonly record: AttemptRecord; readonly failure: AttemptFailure };

/** Input of the activity that writes down a request whose caller has left. */
export interface SettleCancelledInput {
  readonly requestId: string;
  readonly attempts: readonly AttemptRecord[];
}

/** Input of the activity that tells the caller that no lane could answer. */
export interface SettleFailureInput {
  readonly requestId: string;
  readonly failure: AttemptFailure;
  readonly attempts: readonly AttemptRecord[];
  /** Unix milliseconds of the earliest known reset over all lanes, where every lane was out. */
  readonly resetsAt?: number;
}
