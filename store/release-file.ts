import type { BatchStore, StoredTemplate } from './batches.ts';
import type { FileDoc, FileStore } from './files.ts';
import { storeTrouble } from './store-trouble.ts';

/**
 * Removes the bytes of a file that nobody can read any more (deleted or expired), with the lines that batches made of its
 * rows, unless a batch still works on them: then the end of that batch, or housekeeping, calls again. The file is hidden
 * before this looks for batches, and validation looks for the file after its batch is written, so no batch can slip in between.
 */
export async function releaseFile(
  stores: { readonly files: FileStore; readonly batches: BatchStore },
  fileId: string,
  now: number,
): Promise<boolean> {
  const file = await stores.files.find(fileId);
  if (file === null || file.bytesRemoved) return false;
  if (file.deletedAt === null && file.expiresAt > now) return false;
  if (await stores.batches.isInputInUse(fileId)) return false;
  // First what was made of it: a removal that is cut off is found again by the file.
  for (const batch of await stores.batches.listWithLines(fileId)) await releaseLines(stores.files, batch);
  await stores.files.removeBytes(file);
  return true;
}

/**
 * Housekeeping: removes the bytes of these files, of those that are past their end. Returns how many were removed.
 * @throws what the first that could not be removed threw, after the others: they must not wait for it
 */
export async function releaseFiles(
  stores: { readonly files: FileStore; readonly batches: BatchStore },
  found: readonly Pick<FileDoc, '_id'>[],
  now: number,
  onFile: () => void = () => undefined,
): Promise<number> {
  let released = 0;
  const failures: unknown[] = [];
  for (const file of found) {
    onFile();
    try {
      if (await releaseFile(stores, file._id, now)) released++;
    } catch (cause) {
      if (storeTrouble(cause) !== null) throw cause;
      failures.push(cause);
    }
  }
  if (failures.length > 0) throw failures[0];
  return released;
}

/** Removes the lines that were made of a batch's rows, when nobody reads them any more. Safe to repeat. */
export async function releaseLines(
  files: Pick<FileStore, 'bytes'>,
  batch: { readonly template?: Pick<StoredTemplate, 'bodyId'> | null },
): Promise<void> {
  const bodyId = batch.template?.bodyId ?? null;
  if (bodyId !== null) await files.bytes.remove(bodyId);
}
