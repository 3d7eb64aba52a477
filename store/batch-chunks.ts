import type { Db } from 'mongodb';

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
}

/** Chunks of batches. Indexes: `_id`; `batchId, chunkIndex` for housekeeping. Never changed once their batch is in progress. */
export function createBatchChunkStore(db: Db) {
  const chunks = db.collection<BatchChunkDoc>('batch_chunks');
  return {
    ensureIndexes: async () => void (await chunks.createIndex({ batchId: 1, chunkIndex: 1 })),

    /** Writes a chunk, or writes it again. */
    put: async (chunk: BatchChunkDoc) => void (await chunks.replaceOne({ _id: chunk._id }, chunk, { upsert: true })),
    find: (id: string): Promise<BatchChunkDoc | null> => chunks.findOne({ _id: id }),

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
