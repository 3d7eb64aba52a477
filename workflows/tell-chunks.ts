import { getExternalWorkflowHandle, setHandler } from '@temporalio/workflow';
import { chunkWorkflowId } from '../core/contracts/ids.ts';
import { controlChanged } from './wake.ts';

/**
 * Passes a change of the batch's control on to the chunks that run. A chunk that is over, or that has not begun, needs none:
 * whatever begins reads the control first. What changes while a chunk is being told is told once after it, however often it
 * changes: a thousand changes must not make this history grow by thousands of events.
 */
export function tellChunks(batchId: string, running: ReadonlyMap<number, unknown>): void {
  /** Chunks that are being told, and whether they must be told once more. */
  const telling = new Map<number, boolean>();
  const tell = async (chunkIndex: number): Promise<void> => {
    if (telling.has(chunkIndex)) {
      telling.set(chunkIndex, true);
      return;
    }
    do {
      telling.set(chunkIndex, false);
      try {
        await getExternalWorkflowHandle(chunkWorkflowId(batchId, chunkIndex)).signal(controlChanged);
      } catch {
        // It was over before the signal came.
      }
    } while (telling.get(chunkIndex) === true);
    telling.delete(chunkIndex);
  };
  setHandler(controlChanged, () => {
    for (const chunkIndex of running.keys()) void tell(chunkIndex);
  });
}
