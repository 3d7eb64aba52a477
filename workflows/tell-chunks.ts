import { getExternalWorkflowHandle, setHandler } from '@temporalio/workflow';
import { chunkWorkflowId } from '../core/contracts/ids.ts';
import { controlChanged } from './wake.ts';

/**
 * Passes a change of the batch's control on to the chunks that run. A chunk that is over, or that has not begun, needs none:
 * whatever begins reads the control first.
 */
export function tellChunks(batchId: string, running: ReadonlyMap<number, unknown>): void {
  const tell = async (chunkIndex: number): Promise<void> => {
    try {
      await getExternalWorkflowHandle(chunkWorkflowId(batchId, chunkIndex)).signal(controlChanged);
    } catch {
      // It was over before the signal came.
    }
  };
  setHandler(controlChanged, () => {
    for (const chunkIndex of running.keys()) void tell(chunkIndex);
  });
}
