/**
 * The names by which things are found again: in MongoDB, in Temporal and in the answers. Pure, so that workflows may use them.
 */

/** Digits of a line number in a key: 50,000 lines is the limit, and keys must sort as the lines do. */
const LINE_DIGITS = 6;

/** The key of one line's outcome: `batch_…:000042`. Lines count from 1, as in OpenAI's validation errors. */
export function lineKey(batchId: string, line: number): string {
  return `${batchId}:${String(line).padStart(LINE_DIGITS, '0')}`;
}

/** The key of one chunk of a batch: `batch_…:c00007`. Chunks count from 0. */
export function chunkKey(batchId: string, chunkIndex: number): string {
  return `${batchId}:c${String(chunkIndex).padStart(5, '0')}`;
}

/** The workflow id of one completion, readable in the Temporal UI. */
export function completionWorkflowId(requestId: string): string {
  return `completion/${requestId}`;
}

/** The workflow id of a chunk; the batch's own workflow id is the batch id, so a repeated start is the same batch. */
export function chunkWorkflowId(batchId: string, chunkIndex: number): string {
  return `${batchId}/chunk-${chunkIndex}`;
}

/** The workflow id of a batch's announcement, where the batch's own workflow was lost before it made it. */
export function announceWorkflowId(batchId: string): string {
  return `${batchId}/announce`;
}

/**
 * The key of one attempt in the ledger: an attempt settles at most once.
 * @param attempt counts the lanes' tries as the workflow decided them, from 1
 * @param delivery counts how often Temporal delivered that attempt, from 1: more than once when a worker died in it
 */
export function attemptKey(itemId: string, attempt: number, delivery: number): string {
  return `${itemId}#${attempt}.${delivery}`;
}

/**
 * The same for a line. A chunk that is begun anew counts its attempts anew, so the activity is part of the key: what was paid in
 * an earlier life of the chunk stays in the ledger beside it.
 */
export function lineAttemptKey(
  itemId: string,
  attempt: number,
  { runId, activityId, delivery }: { readonly runId: string; readonly activityId: string; readonly delivery: number },
): string {
  return `${attemptKey(itemId, attempt, delivery)}@${runId}.${activityId}`;
}
