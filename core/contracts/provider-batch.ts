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

/** The name of the money that a try holds. No dot and no dollar sign: it is the name of a field. */
export function providerHold({ firstChunk, attempt }: Pick<ProviderBatchTry, 'firstChunk' | 'attempt'>): string {
  return `${PROVIDER_HOLD}${firstChunk}-${attempt}`;
}

/** True for money that a try holds, and not lines that go singly. */
export function isProviderHold(key: string): boolean {
  return key.startsWith(PROVIDER_HOLD);
}

const PROVIDER_HOLD = 'provider-';

/** How often a run is sent: once more after a batch that failed as a whole. */
export const PROVIDER_BATCH_TRIES = 2;

/** Looks at a provider's batch: soon at first, then every few minutes. It takes minutes to hours. */
export const FIRST_LOOK_MS = 5_000;
export const LONGEST_LOOK_MS = 5 * 60_000;

/** A cancelled batch of a provider has this long to end: OpenAI says up to ten minutes. */
export const CANCEL_LIMIT_MS = 11 * 60_000;

/** With less time than this a provider's batch is not begun: most end within the hour. */
const LEAST_TIME_MS = 60 * 60_000;

/** The workflow id of a run. */
export function providerBatchWorkflowId(batchId: string, firstChunk: number): string {
  return `${batchId}/provider-${firstChunk}`;
}

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
