import { DEFAULT_FILE_LIFE_SECONDS } from '../core/wire/file-object.ts';
import type { FileStore } from './files.ts';
import { storeTrouble } from './store-trouble.ts';
import type { UploadDoc, UploadStore } from './uploads.ts';

interface UploadStores {
  readonly files: FileStore;
  readonly uploads: UploadStore;
}

/**
 * Makes the file of an upload whose completion is decided: the parts become its bytes, none is copied. Safe to repeat, and for
 * several at a time. What dies on the way is gone on with by the next call.
 */
export async function finishUpload({ files, uploads }: UploadStores, upload: UploadDoc): Promise<void> {
  const { completion, fileId, ownerId, filename, purpose, bytes } = upload;
  if (upload.status !== 'completing' || completion === null) return;
  // A file that was there and is deleted by now must not come back.
  if ((await files.find(fileId)) === null) {
    await files.bytes.compose(fileId, completion.parts);
    await files.insertOnce({
      _id: fileId,
      ownerId,
      bytes,
      createdAt: completion.at,
      expiresAt: completion.at + (upload.fileLifeSeconds ?? DEFAULT_FILE_LIFE_SECONDS) * 1000,
      filename,
      purpose,
      status: 'processed',
      deletedAt: null,
      sha256: completion.sha256,
      bodyId: fileId,
      bytesRemoved: false,
      batchId: null,
    });
  }
  await uploads.markCompleted(upload._id);
}

/**
 * Removes what is left of an upload that is over: parts that no file has, and what was noted of the others. Safe to repeat.
 * A part that arrives meanwhile sees that the upload is over and removes itself.
 */
export async function tidyUpload({ files, uploads }: UploadStores, upload: UploadDoc): Promise<void> {
  const used = new Set(upload.completion?.parts.map(({ bodyId }) => bodyId));
  for (const part of await uploads.listParts(upload._id)) {
    if (!used.has(part._id)) await files.bytes.remove(part._id);
    await uploads.removePart(part._id);
  }
  await uploads.markTidied(upload._id);
}

/**
 * Housekeeping: brings uploads to their end that nobody came back for. Returns how many.
 * @throws what the first that could not be ended threw, after the others: they must not wait for it
 */
export async function endUploads(
  stores: UploadStores,
  now: number,
  limit: number,
  onUpload: () => void = () => undefined,
): Promise<number> {
  const found = await stores.uploads.listUntidy(now, limit);
  const failures: unknown[] = [];
  for (const { _id } of found) {
    onUpload();
    try {
      await stores.uploads.end(_id, 'expired');
      const upload = await stores.uploads.find(_id);
      if (upload === null) continue;
      await finishUpload(stores, upload);
      await tidyUpload(stores, upload);
    } catch (cause) {
      if (storeTrouble(cause) !== null) throw cause;
      failures.push(cause);
    }
  }
  if (failures.length > 0) throw failures[0];
  return found.length;
}
