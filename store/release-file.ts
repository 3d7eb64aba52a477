import type { BatchStore } from './batches.ts';
import type { FileStore } from './files.ts';

/**
 * Removes the bytes of a file that nobody can read any more (deleted or expired), unless a batch still works on them: then
 * the end of that batch, or housekeeping, calls again. The file is hidden before this looks for batches, and validation
 * looks for the file after its batch is written, so no batch can slip in between.
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
  await stores.files.removeBytes(file);
  return true;
}

/** Housekeeping: removes the bytes of files that are past their end. Returns how many were removed. */
export async function releaseFiles(
  stores: { readonly files: FileStore; readonly batches: BatchStore },
  now: number,
  limit = 100,
): Promise<number> {
  let released = 0;
  for (const file of await stores.files.listRemovable(now, limit)) {
    if (await releaseFile(stores, file._id, now)) released++;
  }
  return released;
}
