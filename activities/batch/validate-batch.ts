import type { Clock } from '../../core/clock.ts';
import type { ValidationOutcome } from '../../core/contracts/batch.ts';
import { chunkKey } from '../../core/contracts/ids.ts';
import type { BatchError } from '../../core/wire/batch-object.ts';
import type { BatchChunkStore } from '../../store/batch-chunks.ts';
import type { BatchDoc, BatchStore } from '../../store/batches.ts';
import type { FileDoc, FileStore } from '../../store/files.ts';
import { releaseFile, releaseLines } from '../../store/release-file.ts';
import { countBytes, makeLines, type MadeLines } from './make-lines.ts';
import { scanBatchInput } from './scan-input.ts';

export interface ValidateBatchDeps {
  readonly files: FileStore;
  readonly batches: BatchStore;
  readonly chunks: BatchChunkStore;
  readonly clock: Clock;
  /** True if some lane that the batch may use serves the model. */
  readonly isModelServed: (batch: BatchDoc, model: string) => Promise<boolean>;
  /** Says that the work goes on, with the bytes read so far. May throw to end it (cancelled, worker stopping). */
  readonly checkIn: (bytesRead: number) => void;
}

/**
 * The activity that reads a batch's input and decides whether it runs. Safe to run twice: chunks have fixed ids, and a
 * batch that was decided on before keeps its decision.
 * @throws Error when the batch does not exist, and whatever the store or `checkIn` throw.
 */
export function createValidateBatch(deps: ValidateBatchDeps) {
  const { files, batches, chunks, clock } = deps;

  /**
   * What is decided already, or null if nothing is. A batch that was cancelled before it was looked at has no chunks to run,
   * and its end is still to come: that is not a refusal. One that has ended is over, however far it came: nothing of it runs again.
   */
  const decided = ({ status, chunks }: BatchDoc): ValidationOutcome | null => {
    switch (status) {
      case 'validating':
        return null;
      case 'in_progress':
      case 'finalizing':
      case 'cancelling':
        return { valid: true, chunks };
      case 'failed':
        return { valid: false };
      case 'completed':
      case 'expired':
      case 'cancelled':
        return { valid: false, over: status };
    }
  };
  const load = async (batchId: string): Promise<BatchDoc> => {
    const batch = await batches.find(batchId);
    if (batch === null) throw new Error(`There is no batch ${batchId}.`);
    return batch;
  };
  /** The lines are the file itself, unless they are to be made of its rows. Null when the batch was decided on meanwhile. */
  const findLines = async (batch: BatchDoc, file: FileDoc): Promise<MadeLines | null> => {
    const template = batch.template ?? null;
    if (template !== null) return makeLines(deps, batch, template, file);
    return { ok: true, bodyId: file.bodyId, lineOf: (number) => number };
  };
  const settle = async (batchId: string, changed: BatchDoc | null): Promise<ValidationOutcome> =>
    decided(changed ?? (await load(batchId))) ?? { valid: false };

  return async function validateBatch({ batchId }: { readonly batchId: string }): Promise<ValidationOutcome> {
    const batch = await load(batchId);
    const earlier = decided(batch);
    if (earlier !== null) return earlier;

    const fail = async (errors: readonly BatchError[]): Promise<ValidationOutcome> => {
      const failed = await batches.transition(batchId, 'failed', clock.now(), { errors });
      if (failed !== null) {
        await releaseFile(deps, batch.inputFileId, clock.now());
        await releaseLines(files, failed);
      }
      return settle(batchId, failed);
    };

    const file = await files.findOwned(batch.ownerId, batch.inputFileId, clock.now());
    if (file === null) return fail([unknownFile(batch.inputFileId)]);

    const input = await findLines(batch, file);
    if (input === null) return settle(batchId, null);
    if (!input.ok) return fail(input.errors);

    const scan = await scanBatchInput(countBytes(files.bytes.read(input.bodyId), deps.checkIn), {
      endpoint: batch.endpoint,
      isModelServed: (model) => deps.isModelServed(batch, model),
      onChunk: (chunk) =>
        chunks.put({ _id: chunkKey(batchId, chunk.chunkIndex), batchId, bodyId: input.bodyId, ...chunk }),
      lineOf: input.lineOf,
    });
    if (scan.errors.length > 0) return fail(scan.errors);

    const [model = null] = scan.models;
    const started = await batches.transition(batchId, 'in_progress', clock.now(), {
      counts: { total: scan.lines, completed: 0, failed: 0 },
      chunks: scan.chunks,
      model: scan.models.length === 1 ? model : null,
    });
    return settle(batchId, started);
  };
}

function unknownFile(fileId: string): BatchError {
  const message = `Cannot find file ${fileId}, or organization does not have access to it.`;
  return { code: 'invalid_request', message, param: 'file_id', line: null };
}
