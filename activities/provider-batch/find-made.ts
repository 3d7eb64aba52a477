import { LIST_LAGS_MS, type ProviderBatchTry } from '../../core/contracts/provider-batch.ts';
import { providerHold, providerMarker } from '../../core/contracts/provider-run.ts';
import type { Logger } from '../../core/log.ts';
import type { BatchSpendStore } from '../../store/batch-spend.ts';
import { hasOtherLines, type ProviderBatch } from '../../lanes/openai/provider-batches.ts';
import type { ProviderRunStore } from '../../store/provider-runs.ts';
import type { ProviderLane } from './provider-run.ts';

export interface FindMadeDeps {
  readonly providerLane: Pick<ProviderLane, 'api'>;
  readonly providerRuns: Pick<ProviderRunStore, 'made' | 'noteMade'>;
  readonly spend: Pick<BatchSpendStore, 'find'>;
  readonly log: Logger;
  /** @throws the signal's reason when that comes first */
  readonly pause: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** That of the activity under way: it ends what is under way at the provider. */
  readonly signal: () => AbortSignal;
}

/**
 * What the provider calls the batch that an earlier delivery of this try has made; undefined when none has. Where money is held
 * one may have been made just now, and the provider's list may not show it yet: it is asked a second time after a while.
 * @throws Error when the provider can't be reached
 */
export async function findMade(deps: FindMadeDeps, tried: ProviderBatchTry): Promise<string | undefined> {
  const { providerLane, spend, pause, signal } = deps;
  // The list has the newest batches only; the note is there for good.
  const noted = await findNoted(deps, tried);
  if (noted !== undefined) return noted;
  const look = () => providerLane.api.find(providerMarker(tried), signal());
  let found = await look();
  if (found === undefined && Object.hasOwn((await spend.find(tried.batchId)).holds, providerHold(tried))) {
    await pause(LIST_LAGS_MS, signal());
    found = await look();
  }
  return found === undefined ? undefined : noteMade(deps, tried, found);
}

/**
 * What the provider calls the batch that it has made of these lines although its answer did not say so, or of those of an earlier
 * delivery; undefined when none is there after a while. Lines that no batch is made of are removed: nobody else knows of them.
 * @throws Error when the provider can't be reached, or the database
 */
export async function findUnclear(
  deps: FindMadeDeps,
  tried: ProviderBatchTry,
  inputFileId: string,
): Promise<string | undefined> {
  const { providerLane, log, pause, signal } = deps;
  await pause(LIST_LAGS_MS, signal());
  const found = await providerLane.api.find(providerMarker(tried), signal());
  if (found === undefined || hasOtherLines(found, inputFileId)) {
    const { batchId, lane } = tried;
    await providerLane.api.removeFile(inputFileId).catch((error: unknown) => {
      log.warn({ err: error, batchId, laneId: lane.laneId }, 'a file stays at the provider');
    });
  }
  return found === undefined ? undefined : noteMade(deps, tried, found);
}

/** What is noted of a try; undefined when nothing is. Runs of earlier versions have no note. */
export async function findNoted(
  { providerRuns }: Pick<FindMadeDeps, 'providerRuns'>,
  { batchId, number, attempt }: ProviderBatchTry,
): Promise<string | undefined> {
  return number === undefined ? undefined : providerRuns.made(batchId, { number, attempt });
}

/**
 * Notes what the provider calls the batch of a try, for those who come after a crash, and returns the one that counts: the first that
 * was noted. Where that is the one of another delivery, or the run is over, ours is cancelled, and its lines are removed: nobody would
 * take in what it costs.
 */
export async function noteMade(
  { providerLane, providerRuns, log }: Pick<FindMadeDeps, 'providerLane' | 'providerRuns' | 'log'>,
  { batchId, number, attempt, lane }: ProviderBatchTry,
  { id: providerBatchId, inputFileId }: Pick<ProviderBatch, 'id' | 'inputFileId'>,
): Promise<string> {
  if (number === undefined) return providerBatchId;
  const noted = await providerRuns.noteMade(batchId, { number, attempt }, providerBatchId);
  if (noted === providerBatchId) return noted;
  const about = { batchId, laneId: lane.laneId, providerBatchId };
  // Both without the activity's signal: a delivery that another one has overtaken may be cancelled already.
  try {
    await providerLane.api.cancel(providerBatchId);
  } catch (error) {
    log.warn({ err: error, ...about }, 'a batch that nobody waits for goes on');
    return noted ?? providerBatchId;
  }
  try {
    // Empty where the provider does not name it.
    if (inputFileId !== '') await providerLane.api.removeFile(inputFileId);
  } catch (error) {
    log.warn({ err: error, ...about }, 'a file stays at the provider');
  }
  return noted ?? providerBatchId;
}
