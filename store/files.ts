import type { Db, Filter } from 'mongodb';
import type { FileFacts, FilePurpose } from '../core/wire/file-object.ts';
import { createComposedBytes } from './composed-bytes.ts';
import { isDuplicateKey } from './database.ts';
import { pageFilter, pageSort, toPage, type Page, type PagePlace, type PageRequest } from './paging.ts';

export interface FileDoc extends FileFacts {
  /** Public id of the key that owns it. */
  readonly ownerId: string;
  readonly status: 'processed';
  /** Unix milliseconds; a deleted file is kept as a tombstone while its bytes may still be in use. */
  readonly deletedAt: number | null;
  /** Hex, over all bytes; null for what was put together of parts. */
  readonly sha256: string | null;
  /** Under which its bytes are stored; an upload's is its own id. */
  readonly bodyId: string;
  readonly bytesRemoved: boolean;
  /** The batch that wrote it, for output and error files. */
  readonly batchId: string | null;
}

/**
 * Files: what is known of them here, their bytes in GridFS. A file's document is inserted after its bytes are stored, so
 * that a file which is seen is whole. Indexes: `_id`; `ownerId, createdAt, _id` for lists; for housekeeping `expiresAt`,
 * `bytesRemoved, createdAt, _id` and `bodyId`.
 */
export function createFileStore(db: Db) {
  const files = db.collection<FileDoc>('files');
  const bytes = createComposedBytes(db);
  const alive = (now: number): Filter<FileDoc> => ({ deletedAt: null, expiresAt: { $gt: now } });
  return {
    bytes,
    async ensureIndexes() {
      await files.createIndex({ ownerId: 1, createdAt: -1, _id: -1 });
      await files.createIndex({ expiresAt: 1 });
      await files.createIndex({ bytesRemoved: 1, createdAt: 1, _id: 1 });
      await files.createIndex({ bodyId: 1 });
      await bytes.ensureIndexes();
    },

    /** Makes a file visible; false when there is one of that id already, and then that one stands. */
    async insertOnce(file: FileDoc): Promise<boolean> {
      try {
        await files.insertOne(file);
      } catch (error) {
        if (!isDuplicateKey(error)) throw error;
        // Its own, where the acknowledgement was lost and the driver has sent it again: taken as another's, its bytes would go.
        if ((await files.findOne({ _id: file._id }))?.bodyId !== file.bodyId) return false;
      }
      // The file is there and may have been seen. Where this fails housekeeping finds that its document stands for the bytes.
      await bytes.claim(file.bodyId).catch(() => undefined);
      return true;
    },

    /** A file of this owner that is neither deleted nor expired. */
    findOwned: (ownerId: string, fileId: string, now: number): Promise<FileDoc | null> =>
      files.findOne({ _id: fileId, ownerId, ...alive(now) }),

    /** A file whatever its state: for what goes on behind the caller's view. */
    find: (fileId: string): Promise<FileDoc | null> => files.findOne({ _id: fileId }),

    /** Where a page after this file begins; also after one that was deleted meanwhile. */
    findPlace: (ownerId: string, fileId: string): Promise<PagePlace | null> =>
      files.findOne({ _id: fileId, ownerId }, { projection: { createdAt: 1 } }),

    async list(
      ownerId: string,
      now: number,
      page: PageRequest & { readonly purpose: FilePurpose | null },
    ): Promise<Page<FileDoc>> {
      const { purpose, order, limit } = page;
      const found = await files
        .find({ ownerId, ...alive(now), ...(purpose === null ? {} : { purpose }), ...pageFilter<FileDoc>(page) })
        .sort(pageSort(order))
        .limit(limit + 1)
        .toArray();
      return toPage(found, limit);
    },

    /** Hides a file for good. Returns it, or null when this owner has no such file (any more). */
    markDeleted: (ownerId: string, fileId: string, now: number): Promise<FileDoc | null> =>
      files.findOneAndUpdate(
        { _id: fileId, ownerId, ...alive(now) },
        { $set: { deletedAt: now } },
        { returnDocument: 'after' },
      ),

    /** Files past their end, or deleted while they were in use, whose bytes are still there; oldest first, after the given one. */
    listRemovable: (now: number, limit: number, after: PagePlace | null = null): Promise<FileDoc[]> =>
      files
        .find({
          bytesRemoved: false,
          $and: [
            { $or: [{ expiresAt: { $lte: now } }, { deletedAt: { $ne: null } }] },
            pageFilter<FileDoc>({ limit, order: 'asc', after }),
          ],
        })
        .sort(pageSort('asc'))
        .limit(limit)
        .toArray(),

    /**
     * Removes bytes whose writer has given its last sign before a time and that are no file's: it died before the file was there.
     * Returns how many.
     * @param isHeld true for bytes that something else than a file stands for
     */
    async removeOrphans(before: number, limit: number, isHeld: (bodyId: string) => Promise<boolean>): Promise<number> {
      let removed = 0;
      for (const bodyId of await bytes.listUnclaimed(before, limit)) {
        const isClaimed =
          (await files.findOne({ bodyId }, { projection: { _id: 1 } })) !== null ||
          (await bytes.isPart(bodyId)) ||
          (await isHeld(bodyId));
        if (isClaimed) await bytes.claim(bodyId);
        else if (await bytes.giveUp(bodyId, before)) {
          await bytes.remove(bodyId);
          removed++;
        }
      }
      return removed;
    },

    /**
     * Takes a file back that was refused, or of which nobody knows whether it was stored: document first, then bytes. Only for an id
     * of which nobody was told.
     */
    async discard(fileId: string): Promise<void> {
      await files.deleteOne({ _id: fileId });
      await bytes.remove(fileId);
    },

    /** Removes a file's bytes and says so in its document. Safe to repeat. */
    async removeBytes(file: Pick<FileDoc, '_id' | 'bodyId'>): Promise<void> {
      await bytes.remove(file.bodyId);
      await files.updateOne({ _id: file._id }, { $set: { bytesRemoved: true } });
    },
  };
}

export type FileStore = ReturnType<typeof createFileStore>;
