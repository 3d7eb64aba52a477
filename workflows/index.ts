/** What the Temporal worker registers: the file's path is given to the bundler, nobody imports it. */
export { announceWorkflow } from './announce.ts';
export { batchWorkflow } from './batch.ts';
export { batchChunkWorkflow } from './batch-chunk.ts';
export { completionWorkflow } from './completion.ts';
export { housekeepingWorkflow } from './housekeeping.ts';
export { providerBatchWorkflow } from './provider-batch.ts';
export { webhookWorkflow } from './webhook.ts';
