import type { Db } from 'mongodb';
import type { UploadFacts } from '../core/wire/upload-object.ts';
import type { BytesPart } from './composed-bytes.ts';

/** How an upload is to become a file: decided once, and from then on gone through with. */
export interface UploadCompletion {
  /** In the order of the file. Their bytes are stored under their ids. */
  readonly parts: readonly BytesPart[];
  /** Unix milliseconds: when the file was made. */
  readonly at: number;
  /** Hex, over all bytes. */
  readonly sha256: string;
}

/**
 * `pending → completing → completed`, `pending → cancelled`. A pending one past its time is expired, whether that is written
 * down or not. A completing one has passed every check: whoever finds it, the repeat of the call or housekeeping, finishes it.
 */
export interface UploadDoc extends UploadFacts {
  /** Public id of the key that owns it. */
  readonly ownerId: string;
  readonly status: 'pending' | 'completing' | 'completed' | 'cancelled' | 'expired';
  readonly mimeType: string;
  readonly fileLifeSeconds: number | null;
  /** Id of the file that comes of it: fixed from the start, so that it is made once. */
  readonly fileId: string;
  /** Of all parts that were stored, also of those that are not used in the end. */
  readonly partBytes: number;
  readonly partCount: number;
  readonly completion: UploadCompletion | null;
  /** True when no part is left to be removed. */
  readonly tidied: boolean;
}

/** A part of an upload. Its bytes are stored under its id. */
export interface UploadPartDoc {
  readonly _id: string;
  readonly uploadId: string;
  readonly bytes: number;
  readonly createdAt: number;
}

/** Uploads in parts. Indexes: `_id`; `tidied, expiresAt` for housekeeping; of parts `_id` and `uploadId`. */
export function createUploadStore(db: Db) {
  const uploads = db.collection<UploadDoc>('uploads');
  const parts = db.collection<UploadPartDoc>('upload_parts');
  return {
    async ensureIndexes() {
      await uploads.createIndex({ tidied: 1, expiresAt: 1 });
      await parts.createIndex({ uploadId: 1 });
    },
    insert: async (upload: UploadDoc) => void (await uploads.insertOne(upload)),
    find: (uploadId: string): Promise<UploadDoc | null> => uploads.findOne({ _id: uploadId }),
    findOwned: (ownerId: string, uploadId: string): Promise<UploadDoc | null> =>
      uploads.findOne({ _id: uploadId, ownerId }),

    insertPart: async (part: UploadPartDoc) => void (await parts.insertOne(part)),
    removePart: async (partId: string) => void (await parts.deleteOne({ _id: partId })),
    listParts: (uploadId: string): Promise<UploadPartDoc[]> => parts.find({ uploadId }).toArray(),
    /**
     * Counts a part whose bytes are stored, if the upload still takes parts and has room for it: false when it does not. One
     * conditional update, so parts that are sent at the same time never go over the limits together.
     */
    admitPart: async (
      part: Pick<UploadPartDoc, 'uploadId' | 'bytes'>,
      now: number,
      limits: { readonly bytes: number; readonly parts: number },
    ): Promise<boolean> =>
      (
        await uploads.updateOne(
          {
            _id: part.uploadId,
            status: 'pending',
            expiresAt: { $gt: now },
            partBytes: { $lte: limits.bytes - part.bytes },
            partCount: { $lt: limits.parts },
          },
          { $inc: { partBytes: part.bytes, partCount: 1 } },
        )
      ).modifiedCount === 1,

    /** Decides on how a pending upload becomes a file. Null when it is not pending any more. */
    beginCompletion: (uploadId: string, now: number, completion: UploadCompletion): Promise<UploadDoc | null> =>
      uploads.findOneAndUpdate(
        { _id: uploadId, status: 'pending', expiresAt: { $gt: now } },
        { $set: { status: 'completing', completion } },
        { returnDocument: 'after' },
      ),

    /** The file is there. Safe to repeat. */
    markCompleted: async (uploadId: string): Promise<void> =>
      void (await uploads.updateOne({ _id: uploadId, status: 'completing' }, { $set: { status: 'completed' } })),

    /** Ends a pending upload. Null when it is not pending any more. */
    end: (uploadId: string, status: 'cancelled' | 'expired'): Promise<UploadDoc | null> =>
      uploads.findOneAndUpdate({ _id: uploadId, status: 'pending' }, { $set: { status } }, { returnDocument: 'after' }),

    markTidied: async (uploadId: string): Promise<void> =>
      void (await uploads.updateOne({ _id: uploadId }, { $set: { tidied: true } })),

    /** Uploads past their hour with parts that may be left. */
    listUntidy: (before: number, limit: number): Promise<UploadDoc[]> =>
      uploads
        .find({ tidied: false, expiresAt: { $lte: before } })
        .limit(limit)
        .toArray(),

    /** Forgets uploads that were over before a time and have nothing left. Returns how many. */
    async removeTidied(before: number, limit: number): Promise<number> {
      const old = await uploads
        .find({ tidied: true, expiresAt: { $lte: before } }, { projection: { _id: 1 } })
        .limit(limit)
        .toArray();
      for (const { _id } of old) await uploads.deleteOne({ _id });
      return old.length;
    },
  };
}

export type UploadStore = ReturnType<typeof createUploadStore>;
