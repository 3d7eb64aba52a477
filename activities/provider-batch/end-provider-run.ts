import type { ProviderBatchInput } from '../../core/contracts/provider-batch.ts';
import { isHoldOfRun } from '../../core/contracts/provider-run.ts';
import type { BatchSpendStore } from '../../store/batch-spend.ts';
import type { ProviderRunStore } from '../../store/provider-runs.ts';

interface EndProviderRunDeps {
  readonly providerRuns: Pick<ProviderRunStore, 'isNewest' | 'end'>;
  readonly batchSpend: Pick<BatchSpendStore, 'find' | 'settle'>;
}

/**
 * Ends a run, so that the next one may begin. What it still holds is money of which nobody knows any more what became of it: it
 * counts as spent, and no line waits for it. A run that was never begun is left alone. Safe to repeat.
 */
export function createEndProviderRun({ providerRuns, batchSpend }: EndProviderRunDeps) {
  return async function endProviderRun(run: ProviderBatchInput): Promise<void> {
    const { batchId, number } = run;
    if (number === undefined || !(await providerRuns.isNewest(batchId, { ...run, number }))) return;
    const { holds } = await batchSpend.find(batchId);
    for (const [hold, micros] of Object.entries(holds))
      if (isHoldOfRun(hold, number)) await batchSpend.settle(batchId, hold, micros, micros);
    await providerRuns.end(batchId, number);
  };
}
