import { sleep } from '@temporalio/workflow';

/** Our workflows as if somebody had put a step before their first: a history of the real ones must not pass with these. */
async function changed(): Promise<void> {
  await sleep(1);
}

export {
  changed as announceWorkflow,
  changed as batchChunkWorkflow,
  changed as batchWorkflow,
  changed as completionWorkflow,
  changed as housekeepingWorkflow,
  changed as providerBatchWorkflow,
  changed as webhookWorkflow,
};
