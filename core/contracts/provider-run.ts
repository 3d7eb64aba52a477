import type { LaneRef } from './lane.ts';
import { CANCEL_LIMIT_MS, MERGE_LIMIT_MS, type ProviderBatchInput, type ProviderBatchTry } from './provider-batch.ts';

/**
 * The newest run of a batch at a provider, as it stands in the batch's document. It is there before anything is sent and open until
 * its money is settled, so that a batch that was begun anew finds it, and the next run can't begin beside it.
 */
export interface ProviderRun {
  /** Counts the runs of a batch from 1. */
  readonly number: number;
  readonly lane: LaneRef;
  /** The model as the lines name it. */
  readonly model: string;
  readonly firstChunk: number;
  readonly endChunk: number;
  /** Unix milliseconds. */
  readonly takenBackAt: number;
  /** What the provider calls its batch, by the try. */
  readonly made: Readonly<Record<string, string>>;
  readonly isOver: boolean;
}

type NamedRun = Pick<ProviderBatchInput, 'number' | 'firstChunk'>;

/**
 * What tells the runs of a batch apart. Their first chunk does not: a later run often begins at the same one. Runs of earlier
 * versions were named by it all the same, and keep their names; no number of a run looks like one of these.
 */
function nameOf({ number, firstChunk }: NamedRun): string {
  return number === undefined ? String(firstChunk) : `run${number}`;
}

/** By which the batch of this try is found at the provider. */
export function providerMarker(tried: NamedRun & Pick<ProviderBatchTry, 'batchId' | 'attempt'>): string {
  return `${tried.batchId}:${nameOf(tried)}:${tried.attempt}`;
}

/** The workflow id of a run. */
export function providerBatchWorkflowId(run: NamedRun & Pick<ProviderBatchInput, 'batchId'>): string {
  return `${run.batchId}/provider-${nameOf(run)}`;
}

const PROVIDER_HOLD = 'provider-';

/** The name of the money that a try holds, with the time when its run ends. No dot and no dollar sign: it is the name of a field. */
export function providerHold(tried: NamedRun & Pick<ProviderBatchTry, 'attempt' | 'takenBackAt'>): string {
  const { number, attempt, takenBackAt } = tried;
  const end = number === undefined ? '' : `-${Math.max(0, takenBackAt)}`;
  return `${PROVIDER_HOLD}${nameOf(tried)}-${attempt}${end}`;
}

/** True for money that a try holds, and not lines that go singly. */
export function isProviderHold(key: string): boolean {
  return key.startsWith(PROVIDER_HOLD);
}

/** True for money that any try of this run holds. */
export function isHoldOfRun(key: string, number: number): boolean {
  return key.startsWith(`${PROVIDER_HOLD}${nameOf({ number, firstChunk: 0 })}-`);
}

/**
 * From when on nobody is left who would end such a hold: a run is taken back, and merged, within these limits. Unix milliseconds;
 * never for the holds of earlier versions, whose names hold no time.
 */
export function providerHoldEndsAt(key: string): number {
  const takenBackAt = /^provider-run\d+-\d+-(\d+)$/.exec(key)?.[1];
  return takenBackAt === undefined ? Infinity : Number(takenBackAt) + CANCEL_LIMIT_MS + MERGE_LIMIT_MS;
}
