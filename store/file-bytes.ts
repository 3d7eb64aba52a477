import { createHash } from 'node:crypto';
import { GridFSBucket, type Binary, type Db, type ObjectId } from 'mongodb';
import { readAgain } from './read-again.ts';

/** GridFS bucket of all uploaded and written files. */
const BUCKET = 'bodies';

interface BodyDoc {
  readonly _id: string;
  readonly length: number;
  readonly chunkSize: number;
}

interface BodyChunkDoc {
  readonly files_id: string;
  readonly n: number;
  readonly data: Binary;
}

/** Bytes that are being written, or that were and have no file yet. Its writer may die: then this is all that tells of them. */
interface UnclaimedDoc {
  readonly _id: string;
  /** Unix milliseconds of the first byte, and of the last one when that is stored; 0 as soon as they are given up. */
  readonly writtenAt: number;
}

export interface WrittenBytes {
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

/** Bytes, or a piece of them, are not stored (any more), and no database that comes back brings them. */
export class BytesGone extends Error {
  override readonly name = 'BytesGone';
}

/**
 * Bytes of files, in GridFS. Pieces are read and removed one by one through the unique index on `files_id, n`: constant
 * memory on both sides for any size. (The embedded server answers a range on it by a scan that holds what it finds: 200 MiB
 * would not fit into its heap.)
 */
export function createFileBytes(db: Db) {
  const bucket = new GridFSBucket(db, { bucketName: BUCKET });
  const bodies = db.collection<BodyDoc>(`${BUCKET}.files`);
  const pieces = db.collection<BodyChunkDoc>(`${BUCKET}.chunks`);

  const unclaimed = db.collection<UnclaimedDoc>('unclaimed_bodies');

  /** How many pieces there are: they are written and removed so that none is missing in front of another, behind the `least` first. */
  const countPieces = async (bodyId: string, least: number): Promise<number> => {
    const body = await bodies.findOne({ _id: bodyId });
    let count = Math.max(least, body === null ? 0 : Math.ceil(body.length / body.chunkSize));
    while ((await pieces.findOne({ files_id: bodyId, n: count }, { projection: { n: 1 } })) !== null) count++;
    return count;
  };

  /** The last piece first, and what tells of the pieces after them: a removal that is cut off is gone on with by the next. */
  const removePieces = async (bodyId: string, least: number): Promise<void> => {
    for (let n = (await countPieces(bodyId, least)) - 1; n >= 0; n--) await pieces.deleteOne({ files_id: bodyId, n });
    await bodies.deleteOne({ _id: bodyId });
    await unclaimed.deleteOne({ _id: bodyId });
  };

  /**
   * Says of bytes that are whole that they were written just now. @throws Error when they were given up: their writer has stood still
   * for so long, and what it has written since is not all of them.
   */
  const renew = async (bodyId: string): Promise<void> => {
    const stands = { _id: bodyId, writtenAt: { $gt: 0 } };
    const { matchedCount } = await unclaimed.updateOne(stands, { $set: { writtenAt: Date.now() } });
    if (matchedCount === 0) throw new Error(`The bytes of ${bodyId} were removed while they were written.`);
  };

  return {
    ensureIndexes: async () => void (await pieces.createIndex({ files_id: 1, n: 1 }, { unique: true })),

    /**
     * Stores a stream, hashing and counting on the way. When the source breaks, what was stored is removed and the error thrown. The
     * driver inserts all pieces of one buffer at once and gives up at the first failure: one that came behind the removal would stay,
     * and nothing would tell of it. So no more is given to it than what ends one piece, and one insert is on its way at a time.
     */
    async write(bodyId: string, source: AsyncIterable<Uint8Array | string>): Promise<WrittenBytes> {
      await unclaimed.insertOne({ _id: bodyId, writtenAt: Date.now() });
      // The driver's type wants an ObjectId; any BSON value is one to GridFS, and our ids are strings.
      const upload = bucket.openUploadStream(bodyId, { id: bodyId as unknown as ObjectId });
      // Failures arrive through the callbacks below; without a listener the event would end the process.
      upload.on('error', () => {});
      const hash = createHash('sha256');
      let bytes = 0;
      try {
        for await (const piece of source) {
          const buffer = typeof piece === 'string' ? Buffer.from(piece, 'utf8') : piece;
          hash.update(buffer);
          bytes += buffer.length;
          for (let at = 0; at < buffer.length; at += upload.chunkSizeBytes) {
            const slice = buffer.subarray(at, at + upload.chunkSizeBytes);
            await new Promise<void>((resolve, reject) => {
              upload.write(slice, (error) => (error ? reject(error) : resolve()));
            });
          }
        }
        await new Promise<void>((resolve, reject) => {
          // The callback of `end` is called for a failure as well, before the event, and the last piece is stored in there.
          upload.once('error', reject);
          upload.once('finish', () => resolve());
          upload.end();
        });
        await renew(bodyId);
      } catch (cause) {
        upload.destroy();
        // Where nothing can be written, nothing can be removed either: housekeeping does it when that is over.
        // Its first pieces may have been given up and be gone, and those after them be found by their number alone.
        await removePieces(bodyId, Math.ceil(bytes / upload.chunkSizeBytes)).catch(() => undefined);
        throw cause;
      }
      return { bytes, sha256: hash.digest('hex') };
    },

    /**
     * Streams the bytes from `start` up to, not including, `end`. Waits while the database is away, for half a minute.
     * @throws BytesGone
     */
    async *read(bodyId: string, start = 0, end = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer, void, undefined> {
      const body = await readAgain(() => bodies.findOne({ _id: bodyId }));
      if (body === null) throw new BytesGone(`The bytes of ${bodyId} are gone.`);
      const stop = Math.min(end, body.length);
      for (let n = Math.floor(start / body.chunkSize); n * body.chunkSize < stop; n++) {
        const piece = await readAgain(() => pieces.findOne({ files_id: bodyId, n }));
        if (piece === null) throw new BytesGone(`A piece of the bytes of ${bodyId} is gone.`);
        const data = piece.data.value();
        const offset = n * body.chunkSize;
        const from = Math.max(start - offset, 0);
        const to = Math.min(stop - offset, data.length);
        yield Buffer.from(data.buffer, data.byteOffset + from, to - from);
      }
    },

    /** Removes the bytes, whole or half-written. Safe to repeat, and for several at a time. */
    remove: (bodyId: string): Promise<void> => removePieces(bodyId, 0),

    /** True when the bytes are there, whole. */
    has: async (bodyId: string): Promise<boolean> =>
      (await bodies.findOne({ _id: bodyId }, { projection: { _id: 1 } })) !== null,

    /** A file's document stands for these bytes now. */
    claim: async (bodyId: string): Promise<void> => void (await unclaimed.deleteOne({ _id: bodyId })),

    /** Bytes whose writer has given its last sign before a time, in Unix milliseconds, and that no file has claimed: it died. */
    listUnclaimed: async (before: number, limit: number): Promise<string[]> =>
      (
        await unclaimed
          .find({ writtenAt: { $lt: before } })
          .limit(limit)
          .toArray()
      ).map(({ _id }) => _id),

    /**
     * Gives up bytes whose writer has given its last sign before a time, for good: it throws if it lives after all. False when it has
     * come to its end meanwhile, or when they were claimed. Comes before their removal.
     */
    giveUp: async (bodyId: string, before: number): Promise<boolean> =>
      (await unclaimed.updateOne({ _id: bodyId, writtenAt: { $lt: before } }, { $set: { writtenAt: 0 } }))
        .matchedCount === 1,
  };
}
