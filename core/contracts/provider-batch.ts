import type { LaneRef } from './lane.ts';

/** What planning is asked. */
export interface PlanProviderBatchInput {
  readonly batchId: string;
  /** Chunks from here up to, not including, `endChunk` have not begun. */
  readonly nextChunk: number;
  readonly endChunk: number;
}

/** A run of whole chunks of a batch that goes to a provider's own Batch API. */
export interface ProviderBatchInput {
  readonly batchId: string;
  readonly keyId: string;
  readonly lane: LaneRef;
  /** The model as the lines name it. */
  readonly model: string;
  /** Chunks from `firstChunk` up to, not including, `endChunk`. */
  readonly firstChunk: number;
  readonly endChunk: number;
  /** Unix milliseconds: what is not done then is taken back, while a key lane can still serve it before the batch expires. */
  readonly takenBackAt: number;
  /** Counts the runs of the batch from 1; absent in runs of earlier versions. */
  readonly number?: number;
  /** Unix milliseconds of the end of the batch; absent in runs of earlier versions. */
  readonly expiresAt?: number;
  /** True for a run whose chunks have begun without it: nothing is sent, and what was made is taken back at once. */
  readonly isTakenBack?: boolean;
}

/** One try of a run: a provider's batch that fails as a whole is sent once more. */
export interface ProviderBatchTry extends ProviderBatchInput {
  readonly attempt: number;
}

/** A try that the provider has taken. */
export interface ProviderBatchRun extends ProviderBatchTry {
  readonly providerBatchId: string;
}

/** What became of sending a run. `nothing`: no line is left, no money, or the provider refuses. */
export type SubmittedBatch =
  | { readonly sent: true; readonly providerBatchId: string }
  | { readonly sent: false; readonly why: string };

/** How often a run is sent: once more after a batch that failed as a whole. */
export const PROVIDER_BATCH_TRIES = 2;

/** Looks at a provider's batch: soon at first, then every few minutes. It takes minutes to hours. */
export const FIRST_LOOK_MS = 5_000;
export const LONGEST_LOOK_MS = 5 * 60_000;

/** A cancelled batch of a provider has this long to end: OpenAI says up to ten minutes. */
export const CANCEL_LIMIT_MS = 11 * 60_000;

/** The same for a batch whose time is over: its end does not wait for what its lines can't use any more. */
export const EXPIRED_CANCEL_LIMIT_MS = 60_000;

/** One try to take in what came of a run: 200 MiB at a few MB/s, and 1,000 outcomes a second, are two minutes. */
export const MERGE_LIMIT_MS = 10 * 60_000;

/** A lane that does nothing for so long has no worker: its run is given up, and its lines go as calls. */
export const LANE_IS_GONE_AFTER_MS = 60 * 60_000;

/** A look at a run ends well within this time where a worker takes it. */
export const LOOK_LIMIT_MS = 20_000;

/** A provider's list of its batches may be so much older than its last batch. */
export const LIST_LAGS_MS = 30_000;

/** With less time than this a provider's batch is not begun: most end within the hour. */
const LEAST_TIME_MS = 60 * 60_000;

/** What is known when it is to be decided whether a part of a batch goes to the provider's Batch API. Times in Unix milliseconds. */
export interface ProviderBatchFacts {
  readonly now: number;
  /** When the first plan lane of the batch is back; not later than `now` while one is open. */
  readonly planReturnsAt: number;
  /** The latest responsible moment for calls on a key lane. */
  readonly latestMoment: number;
  readonly startedAt: number;
  readonly doneLines: number;
  readonly remainingLines: number;
  /** Chunks that have not begun, and how many lines each has at most. */
  readonly openChunks: number;
  readonly linesInAChunk: number;
}

/**
 * How many chunks, from the end of a batch, go to the provider's Batch API now. None while a plan lane is open, for the plan is
 * paid already, and none so late that calls would have to begin before a provider's batch can end. Else the lines that the plan
 * can't do between its return and the latest moment for calls. Its pace is what it has done in this batch, over all the time
 * until it is back: work and wait together are what a window gives.
 */
export function chunksForProvider(facts: ProviderBatchFacts): number {
  const { now, planReturnsAt, latestMoment, startedAt, doneLines, remainingLines, openChunks, linesInAChunk } = facts;
  if (planReturnsAt <= now || latestMoment - now < LEAST_TIME_MS) return 0;
  const linesPerMs = doneLines / Math.max(1, planReturnsAt - startedAt);
  const planCan = Math.max(0, latestMoment - planReturnsAt) * linesPerMs;
  return Math.min(openChunks, Math.max(0, Math.ceil((remainingLines - planCan) / linesInAChunk)));
}

/** How soon a batch looks whether a part of it should go to the provider: soon at first, for the plan may be out from the start. */
export const FIRST_PLAN_LOOK_MS = 10_000;
export const LONGEST_PLAN_LOOK_MS = 15 * 60_000;
