import { createHash } from 'node:crypto';
import { DEFAULT_FILE_LIFE_SECONDS } from '../../core/wire/file-object.ts';
import type { SealedPart } from '../../store/batch-chunks.ts';
import type { BatchResultDoc } from '../../store/batch-results.ts';
import type { BatchDoc } from '../../store/batches.ts';
import type { FileStore } from '../../store/files.ts';

/** The id of a batch's output or error file: the same however often it is written. */
export function resultFileId(batchId: string, kind: BatchResultDoc['kind']): string {
  return `file-${createHash('sha256').update(`${batchId}:${kind}`).digest('hex').slice(0, 32)}`;
}

/**
 * Makes a file of the batch's owner out of the parts that its chunks have written, and returns its id; null when no line is
 * of this kind. Safe to repeat, and for two at once: parts of a sealed chunk never change, so both make the same file.
 */
export async function writeResultFile(
  { files }: { readonly files: FileStore },
  batch: BatchDoc,
  kind: BatchResultDoc['kind'],
  parts: readonly SealedPart[],
  createdAt: number,
): Promise<string | null> {
  const fileId = resultFileId(batch._id, kind);
  const written = parts.flatMap(({ bodyId, bytes }) => (bodyId === null ? [] : [{ bodyId, bytes }]));
  if (written.length === 0) return null;
  await files.bytes.compose(fileId, written);
  await files.insertOnce({
    _id: fileId,
    ownerId: batch.ownerId,
    bytes: written.reduce((sum, { bytes }) => sum + bytes, 0),
    createdAt,
    expiresAt: createdAt + (batch.outputExpiresAfterSeconds ?? DEFAULT_FILE_LIFE_SECONDS) * 1000,
    filename: `${batch._id}_${kind === 'completed' ? 'output' : 'error'}.jsonl`,
    purpose: 'batch_output',
    status: 'processed',
    deletedAt: null,
    sha256: null,
    bodyId: fileId,
    bytesRemoved: false,
    batchId: batch._id,
  });
  return fileId;
}
