import type { Db } from 'mongodb';
import type { CarriedLine } from '../core/contracts/batch.ts';
import type { TokenUsage } from '../core/lane-port.ts';
import { isDuplicateKey } from './database.ts';
import type { LaneTallies } from './lane-tallies.ts';

/** What the lines of a chunk add to the output or the error file of their batch. */
export interface SealedPart {
  readonly lines: number;
  readonly bytes: number;
  /** Under which the bytes are stored; null when there are none. */
  readonly bodyId: string | null;
}

/** The end of a chunk: every line has its outcome, and none of what is here changes any more. */
export interface ChunkSeal {
  readonly completed: SealedPart;
  readonly failed: SealedPart;
  readonly usage: TokenUsage;
  readonly byLane: LaneTallies;
}

/** Where the lines of one chunk are in the input file. The rows themselves stay in the file: no copy is made. */
export interface BatchChunkDoc {
  /** `chunkKey(batchId, chunkIndex)`: validation that runs twice writes the same chunks. */
  readonly _id: string;
  readonly batchId: string;
  readonly chunkIndex: number;
  /** Under which the file's bytes are stored. */
  readonly bodyId: string;
  /** Lines count from 1; those of a chunk follow each other. */
  readonly firstLine: number;
  readonly lineCount: number;
  /** Offsets in the file: of the first byte, and of the byte after the last one. */
  readonly byteStart: number;
  readonly byteEnd: number;
  /** What was tried for lines that had no outcome when the chunk was cancelled; absent when nothing was, and behind the seal. */
  readonly tried?: readonly CarriedLine[];
  /** Absent while lines of it have no outcome. */
  readonly seal?: ChunkSeal;
}

/** Chunks of batches. Indexes: `_id`; `batchId, chunkIndex` for housekeeping. Sealed once; what was tried apart never changed else when their batch is in progress. */
export function createBatchChunkStore(db: Db) {
  const chunks = db.collection<BatchChunkDoc>('batch_chunks');
  return {
    ensureIndexes: async () => void (await chunks.createIndex({ batchId: 1, chunkIndex: 1 })),

    /** Writes a chunk, or writes it again while nothing has come of it: a validation may be late, and its batch long on its way. */
    async put(chunk: BatchChunkDoc): Promise<void> {
      const untouched = { _id: chunk._id, seal: { $exists: false }, tried: { $exists: false } };
      try {
        await chunks.replaceOne(untouched, chunk, { upsert: true });
      } catch (error) {
        // It is there and touched, or somebody has written the same in this moment.
        if (!isDuplicateKey(error)) throw error;
      }
    },
    find: (id: string): Promise<BatchChunkDoc | null> => chunks.findOne({ _id: id }),

    /** Keeps what was tried for lines of a chunk, unless all of it is over. */
    keepTried: async (id: string, tried: readonly CarriedLine[]): Promise<void> =>
      void (await chunks.updateOne({ _id: id, seal: { $exists: false } }, { $set: { tried } })),

    /** Seals a chunk unless it is sealed, and returns the seal that stands. @throws Error when there is no such chunk. */
    async seal(id: string, seal: ChunkSeal): Promise<ChunkSeal> {
      const sealed =
        (await chunks.findOneAndUpdate(
          { _id: id, seal: { $exists: false } },
          { $set: { seal }, $unset: { tried: '' } },
          { returnDocument: 'after' },
        )) ?? (await chunks.findOne({ _id: id }));
      if (sealed?.seal === undefined) throw new Error(`There is no chunk ${id}.`);
      return sealed.seal;
    },

    /** True when a sealed chunk has these bytes. Their id begins with the chunk's. */
    async holds(bodyId: string): Promise<boolean> {
      const seal = (await chunks.findOne({ _id: bodyId.split('.')[0] ?? '' }))?.seal;
      return seal?.completed.bodyId === bodyId || seal?.failed.bodyId === bodyId;
    },

    /** Batches that still have chunks here, after the given one, in the order of their ids. */
    async listBatches(after: string, limit: number): Promise<string[]> {
      const first = await chunks
        .find({ chunkIndex: 0, batchId: { $gt: after } })
        .sort({ batchId: 1 })
        .limit(limit)
        .project<Pick<BatchChunkDoc, 'batchId'>>({ batchId: 1 })
        .toArray();
      return first.map(({ batchId }) => batchId);
    },

    /** The first chunk last: while it is there, the batch is found again by a removal that comes after one that was cut off. */
    async removeOfBatch(batchId: string): Promise<void> {
      await chunks.deleteMany({ batchId, chunkIndex: { $gt: 0 } });
      await chunks.deleteMany({ batchId });
    },
  };
}

export type BatchChunkStore = ReturnType<typeof createBatchChunkStore>;
