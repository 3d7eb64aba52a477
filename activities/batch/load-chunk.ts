import { LRUCache } from 'lru-cache';
import type { ChunkLines } from '../../core/contracts/batch.ts';
import { chunkKey } from '../../core/contracts/ids.ts';
import type { Operation } from '../../core/lane-port.ts';
import { operationOfEndpoint } from '../../core/wire/batch-endpoints.ts';
import { readMembers } from '../../core/wire/json-text.ts';
import { splitLines } from '../../core/wire/line-splitter.ts';
import { keepText, withoutMember } from '../../core/wire/written-text.ts';
import type { BatchChunkDoc, BatchChunkStore } from '../../store/batch-chunks.ts';
import type { BatchResultStore } from '../../store/batch-results.ts';
import { BytesGone } from '../../store/file-bytes.ts';
import type { FileStore } from '../../store/files.ts';

/** One row of a chunk. Shared between readers through the cache: never change it. */
export interface ChunkRow {
  /** Counts from 1 in the file. */
  readonly line: number;
  readonly customId: string;
  /** What its URL asks of a lane. */
  readonly operation: Operation;
  readonly body: Readonly<Record<string, unknown>>;
  /** The body as JSON text in its shortest form, by which it is priced. */
  readonly bodyText: string;
}

export interface ChunkReaderDeps {
  readonly files: FileStore;
  readonly chunks: BatchChunkStore;
  readonly results: BatchResultStore;
  /** Memory for rows, in bytes. */
  readonly maxCacheBytes?: number;
}

/** Several chunks of 250 usual rows; activities that take one line each would otherwise read the chunk for every line. */
const DEFAULT_CACHE_BYTES = 32 * 1024 * 1024;

/** Parsed objects, their text and the line as it was written take about four times the bytes in the file. */
const MEMORY_PER_FILE_BYTE = 4;

/** Reads rows of validated batches out of the input file. Chunks and files never change, so what is cached stays true. */
export function createChunkReader({ files, chunks, results, maxCacheBytes = DEFAULT_CACHE_BYTES }: ChunkReaderDeps) {
  const cache = new LRUCache<string, { readonly rows: readonly ChunkRow[]; readonly size: number }>({
    maxSize: maxCacheBytes,
    sizeCalculation: ({ size }) => size,
  });
  /** Reads under way, so that lines of one chunk that start together read it once. */
  const underWay = new Map<string, Promise<readonly ChunkRow[]>>();

  const find = async (batchId: string, chunkIndex: number): Promise<BatchChunkDoc> => {
    const chunk = await chunks.find(chunkKey(batchId, chunkIndex));
    if (chunk === null) throw new Error(`There is no chunk ${chunkIndex} of ${batchId}.`);
    return chunk;
  };

  async function* rowsOf(chunk: BatchChunkDoc): AsyncGenerator<ChunkRow, void, undefined> {
    const { batchId, chunkIndex, firstLine, bodyId, byteStart, byteEnd } = chunk;
    for await (const { number, bytes } of splitLines(files.bytes.read(bodyId, byteStart, byteEnd))) {
      if (bytes === null) throw new Error(`Chunk ${chunkIndex} of ${batchId} has a line that is too long.`);
      yield toRow(firstLine + number - 1, bytes);
    }
  }

  const load = async (batchId: string, chunkIndex: number): Promise<readonly ChunkRow[]> => {
    const chunk = await find(batchId, chunkIndex);
    const rows: ChunkRow[] = [];
    for await (const row of rowsOf(chunk)) rows.push(row);
    if (rows.length !== chunk.lineCount) {
      throw new Error(`Chunk ${chunkIndex} of ${batchId} has ${rows.length} lines and should have ${chunk.lineCount}.`);
    }
    const size = Math.max(1, (chunk.byteEnd - chunk.byteStart) * MEMORY_PER_FILE_BYTE);
    cache.set(chunk._id, { rows, size });
    return rows;
  };

  /**
   * The rows of one chunk, in line order.
   * @throws Error when the batch has no such chunk; BytesGone
   */
  const read = async (batchId: string, chunkIndex: number): Promise<readonly ChunkRow[]> => {
    const key = chunkKey(batchId, chunkIndex);
    const cached = cache.get(key);
    if (cached !== undefined) return cached.rows;
    const running = underWay.get(key);
    if (running !== undefined) return running;
    const loading = load(batchId, chunkIndex).finally(() => underWay.delete(key));
    underWay.set(key, loading);
    return loading;
  };

  return {
    find,
    read,

    /**
     * The same for the end of a batch, which must come all the same: where bytes of the file are gone, which no retry changes, the rows
     * in front of them. Where one begins behind them nobody knows.
     */
    async readWhatIsLeft(batchId: string, chunkIndex: number): Promise<readonly ChunkRow[]> {
      try {
        return await read(batchId, chunkIndex);
      } catch (error) {
        if (!(error instanceof BytesGone)) throw error;
      }
      const rows: ChunkRow[] = [];
      try {
        for await (const row of rowsOf(await find(batchId, chunkIndex))) rows.push(row);
      } catch (error) {
        if (!(error instanceof BytesGone)) throw error;
      }
      return rows;
    },

    /** The lines of a chunk that have no outcome yet, grouped by model in the order in which models first appear. */
    async pendingLines(batchId: string, chunkIndex: number): Promise<ChunkLines> {
      const rows = await read(batchId, chunkIndex);
      const done = new Set<number>();
      const [first] = rows;
      if (first !== undefined) {
        for (const { line } of await results.outcomes(batchId, first.line, rows.length)) done.add(line);
      }
      const byModel = new Map<string, number[]>();
      for (const { line, body } of rows) {
        if (done.has(line)) continue;
        const model = String(body['model']);
        const lines = byModel.get(model);
        if (lines === undefined) byModel.set(model, [line]);
        else lines.push(line);
      }
      return { models: [...byModel].map(([model, lines]) => ({ model, lines })) };
    },
  };
}

export type ChunkReader = ReturnType<typeof createChunkReader>;

/** A line that passed validation; only its shape is taken from it here. */
function toRow(line: number, bytes: Buffer): ChunkRow {
  const text = bytes.toString('utf8');
  const row = JSON.parse(text) as { custom_id: string; url: string; body: Record<string, unknown> };
  const operation = operationOfEndpoint(row.url);
  // `stream: false` says nothing, and not every provider takes it with embeddings.
  const body = withoutMember(keepText(row.body, readMembers(text)?.get('body')), 'stream');
  return { line, customId: row.custom_id, operation, body, bodyText: JSON.stringify(body) };
}
