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

/** Chunks of batches. Index: `_id`. Never changed once their batch is in progress. */
export function createBatchChunkStore(db: Db) {
  const chunks = db.collection<BatchChunkDoc>('batch_chunks');
  return {
    /** Writes a chunk, or writes it again. */
    put: async (chunk: BatchChunkDoc) => void (await chunks.replaceOne({ _id: chunk._id }, chunk, { upsert: true })),
    find: (id: string): Promise<BatchChunkDoc | null> => chunks.findOne({ _id: id }),
  };
}

export type BatchChunkStore = ReturnType<typeof createBatchChunkStore>;
