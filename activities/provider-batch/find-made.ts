import { LIST_LAGS_MS, type ProviderBatchTry } from '../../core/contracts/provider-batch.ts';
import { providerHold, providerMarker } from '../../core/contracts/provider-run.ts';
import type { BatchSpendStore } from '../../store/batch-spend.ts';
import type { ProviderRunStore } from '../../store/provider-runs.ts';
import type { ProviderLane } from './provider-run.ts';

export interface FindMadeDeps {
  readonly providerLane: Pick<ProviderLane, 'api'>;
  readonly providerRuns: Pick<ProviderRunStore, 'made' | 'noteMade'>;
  readonly spend: Pick<BatchSpendStore, 'find'>;
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
  const { providerLane, providerRuns, spend, pause, signal } = deps;
  const { batchId, number, attempt } = tried;
  // The list has the newest batches only; the note is there for good.
  const noted = number === undefined ? undefined : await providerRuns.made(batchId, { number, attempt });
  if (noted !== undefined) return noted;
  const look = () => providerLane.api.find(providerMarker(tried), signal());
  let found = await look();
  if (found === undefined && Object.hasOwn((await spend.find(batchId)).holds, providerHold(tried))) {
    await pause(LIST_LAGS_MS, signal());
    found = await look();
  }
  if (found !== undefined) await noteMade(deps, tried, found.id);
  return found?.id;
}

/** Notes what the provider calls the batch of a try, for those who come after a crash. Runs of earlier versions have no note. */
export async function noteMade(
  { providerRuns }: Pick<FindMadeDeps, 'providerRuns'>,
  { batchId, number, attempt }: ProviderBatchTry,
  providerBatchId: string,
): Promise<void> {
  if (number !== undefined) await providerRuns.noteMade(batchId, { number, attempt }, providerBatchId);
}
