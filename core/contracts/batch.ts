import type { BatchControl, BatchPriority } from './batch-control.ts';
import type { AttemptFailure, AttemptRecord } from './failure.ts';
import type { LaneKind, LaneRef, PlannedLane } from './lane.ts';

/** OpenAI's states of a batch. */
export type BatchStatus =
  | 'validating'
  | 'failed'
  | 'in_progress'
  | 'finalizing'
  | 'completed'
  | 'expired'
  | 'cancelling'
  | 'cancelled';

const ALLOWED_FROM: Record<BatchStatus, readonly BatchStatus[]> = {
  validating: [],
  failed: ['validating'],
  in_progress: ['validating'],
  finalizing: ['in_progress'],
  completed: ['finalizing'],
  expired: ['in_progress', 'validating'],
  cancelling: ['validating', 'in_progress'],
  cancelled: ['cancelling'],
};

/** The states from which a batch may come into `to`. The store uses it as the condition of its update. */
export function batchStatesBefore(to: BatchStatus): readonly BatchStatus[] {
  return ALLOWED_FROM[to];
}

/** States in which nothing more happens to a batch. */
export type BatchEnd = 'failed' | 'completed' | 'expired' | 'cancelled';

export const TERMINAL_BATCH_STATES: readonly BatchStatus[] = ['failed', 'completed', 'expired', 'cancelled'];

/** Lines in one chunk: its history, at 3 to 6 events a group of lines, stays far below the 4,096 events from which Temporal asks for a new one. */
export const LINES_IN_A_CHUNK = 250;

/** Chunks of one batch that run at a time: enough to fill every lane, few enough to keep a cancel quick. */
export const CHUNKS_AT_A_TIME = 3;

/**
 * Lines that go to a lane in one activity. An activity costs about 20 ms of both processors between Temporal and worker: eight
 * lines an activity bring two plan lanes from 54 to 60 rows/s on two cores where four did, 25 a key lane from 200 to over 500.
 * A plan lane's groups stay near its usual number of slots, so that what waits for it is soon anew in Temporal's order.
 */
export const GROUP_LINES: Readonly<Record<LaneKind, number>> = { plan: 8, key: 25 };

/** Groups of one chunk that are out on one lane at a time: one is served while the next one is on its way. */
export const GROUPS_IN_FLIGHT: Readonly<Record<LaneKind, number>> = { plan: 2, key: 2 };

/**
 * Pauses before a line is tried on all its lanes once more when it failed in passing on each of them (connections lost, 5xx,
 * processes killed). A batch has hours: a short outage of a provider must not end its lines.
 */
export const PAUSES_BEFORE_GIVING_UP_MS: readonly number[] = [5_000, 30_000];

/**
 * A group of lines that fails for our own part, because the database is away say, goes again when the database answers, however long
 * that takes. A line with which it fails so often, with a database that answers in between, is what is wrong itself.
 */
export const OWN_TROUBLES_BEFORE_GIVING_UP = 5;

/** Records of attempts that a line carries along; the oldest go first. Input of activities: it must stay small. */
export const ATTEMPTS_KEPT = 12;

export interface BatchInput {
  readonly batchId: string;
  /** The key that asked, by its public id: the fairness key among batches. */
  readonly keyId: string;
  /** Unix milliseconds. */
  readonly expiresAt: number;
}

/**
 * What validation found: the number of chunks to run, or that there is nothing to run: the batch has failed, or had come to another
 * end before.
 */
export type ValidationOutcome =
  | { readonly valid: true; readonly chunks: number }
  | { readonly valid: false; readonly over?: Exclude<BatchEnd, 'failed'> };

export interface ChunkInput {
  readonly batchId: string;
  readonly keyId: string;
  readonly chunkIndex: number;
  readonly expiresAt: number;
  /** Lines that still have no outcome, after a continue-as-new; all lines of the chunk when absent. */
  readonly carried?: readonly CarriedLine[];
}

/** A line with what has been tried for it. */
export interface CarriedLine {
  readonly line: number;
  readonly model: string;
  readonly attempts: readonly AttemptRecord[];
  /** Pauses that it has had so far, of PAUSES_BEFORE_GIVING_UP_MS. */
  readonly pauses: number;
  /** Deliveries that failed for our own part and not for a lane's, of OWN_TROUBLES_BEFORE_GIVING_UP; none when absent. */
  readonly ownTroubles?: number;
}

/** The lines of a chunk that have no outcome yet, grouped by the model that they name. */
export interface ChunkLines {
  readonly models: readonly { readonly model: string; readonly lines: readonly number[] }[];
}

/** One line in the input of the activity that serves lines on a lane. */
export interface LineTask {
  readonly line: number;
  /** Counts from 1 over all lanes. */
  readonly attempt: number;
  readonly previous: readonly AttemptRecord[];
}

export interface ServeLinesInput {
  readonly batchId: string;
  readonly keyId: string;
  readonly chunkIndex: number;
  readonly lane: LaneRef;
  readonly lines: readonly LineTask[];
  /** Unix milliseconds of the end of the batch. */
  readonly expiresAt: number;
  /** Of the batch, when the lines were sent out; normal when absent. */
  readonly priority?: BatchPriority;
}

/** The outcome of each line of a ServeLinesInput; a line that is done has its result stored. */
export interface LineResult {
  readonly line: number;
  readonly record: AttemptRecord;
  /** Absent when the line has its answer (or had it already). */
  readonly failure?: AttemptFailure;
}

/** What an activity that was cancelled tells of a line: its attempt was cut off, or had failed by then. The line has no outcome. */
export type CutLine = Pick<LineResult, 'line' | 'record'>;

/** Input of the activity that gives lines that no lane could answer their outcome in the error file. */
export interface SettleLinesInput {
  readonly batchId: string;
  readonly keyId: string;
  readonly chunkIndex: number;
  readonly lines: readonly CarriedLine[];
}

/** Input of the activity that keeps what was tried for lines whose chunk is cancelled before they have an outcome. */
export interface KeepAttemptsInput {
  readonly batchId: string;
  readonly chunkIndex: number;
  readonly lines: readonly CarriedLine[];
}

/** A model's lanes in order, as the planning activity resolved them for the batch's key. */
export interface LanePlan {
  readonly model: string;
  readonly lanes: readonly PlannedLane[];
  /** How the batch is to run now; absent where the plan is for no batch. */
  readonly control?: Pick<BatchControl, 'paused' | 'priority'>;
}
