import { lineKey } from '../../core/contracts/ids.ts';
import { newBatchId, newFileId, newRequestId } from '../../core/ids.ts';
import { createChunkReader } from '../../activities/batch/load-chunk.ts';
import { createFinalizeBatch } from '../../activities/batch/finalize-batch.ts';
import { createValidateBatch } from '../../activities/batch/validate-batch.ts';
import { createStores } from '../../store/stores.ts';
import { newBatch, type BatchDoc } from '../../store/batches.ts';
import type { BatchResultDoc } from '../../store/batch-results.ts';
import type { FileDoc } from '../../store/files.ts';
import { createMovableClock } from './movable-clock.ts';
import type { TestDatabase } from './mongodb.ts';

export const OWNER = 'key_owner';
export const DAY_MS = 24 * 3_600_000;

/** Activities of a batch over a real database, with what the tests need to put in and to read out. */
export async function createBatchWorld(database: TestDatabase) {
  const stores = createStores(database.db);
  await stores.ensureIndexes();
  const clock = createMovableClock();
  const modelsAsked: string[] = [];
  const progress: number[] = [];
  const checkIn = (done: number): void => void progress.push(done);
  const chunkReader = createChunkReader(stores);
  const validateBatch = createValidateBatch({
    ...stores,
    clock,
    checkIn,
    isModelServed: async (_batch, model) => {
      modelsAsked.push(model);
      return model !== 'unknown';
    },
  });
  const finalizeBatch = createFinalizeBatch({ ...stores, chunkReader, now: () => clock.now(), checkIn });

  const putFile = async (
    content: AsyncIterable<Uint8Array> | string,
    given: Partial<FileDoc> = {},
  ): Promise<FileDoc> => {
    const _id = newFileId();
    const source = typeof content === 'string' ? once(content) : content;
    const written = await stores.files.bytes.write(_id, source);
    const file: FileDoc = {
      _id,
      ownerId: OWNER,
      ...written,
      createdAt: clock.now(),
      expiresAt: clock.now() + 30 * DAY_MS,
      filename: 'input.jsonl',
      purpose: 'batch',
      status: 'processed',
      deletedAt: null,
      bodyId: _id,
      bytesRemoved: false,
      batchId: null,
      ...given,
    };
    await stores.files.insertOnce(file);
    return file;
  };

  const putBatch = async (inputFileId: string, given: Partial<BatchDoc> = {}): Promise<BatchDoc> => {
    const batch = {
      ...newBatch({
        _id: newBatchId(),
        ownerId: OWNER,
        endpoint: '/v1/chat/completions',
        inputFileId,
        completionWindow: '24h',
        createdAt: clock.now(),
        expiresAt: clock.now() + DAY_MS,
        metadata: null,
        outputExpiresAfterSeconds: null,
      }),
      ...given,
    };
    await stores.batches.insert(batch);
    return batch;
  };

  const read = async (batchId: string): Promise<BatchDoc> => {
    const batch = await stores.batches.find(batchId);
    if (batch === null) throw new Error('the batch is gone');
    return batch;
  };

  const readFile = async (fileId: string | null): Promise<string> => {
    const file = fileId === null ? null : await stores.files.find(fileId);
    if (file === null) throw new Error('there is no such file');
    const pieces: Buffer[] = [];
    for await (const piece of stores.files.bytes.read(file.bodyId)) pieces.push(piece);
    return Buffer.concat(pieces).toString('utf8');
  };

  return {
    ...stores,
    clock,
    chunkReader,
    validateBatch,
    finalizeBatch,
    modelsAsked,
    progress,
    putFile,
    putBatch,
    read,
    readFile,
  };
}

export type BatchWorld = Awaited<ReturnType<typeof createBatchWorld>>;

/** One row of an input file. */
export function row(customId: string, body: Record<string, unknown> = {}, more: Record<string, unknown> = {}): string {
  const request = { model: 'm', messages: [{ role: 'user', content: customId }], ...body };
  return JSON.stringify({ custom_id: customId, method: 'POST', url: '/v1/chat/completions', body: request, ...more });
}

export function rows(count: number): string {
  return Array.from({ length: count }, (_, index) => `${row(`id-${index + 1}`)}\n`).join('');
}

/** An outcome of a line as a lane would leave it. */
export function result(batchId: string, line: number, given: Partial<BatchResultDoc> = {}): BatchResultDoc {
  return {
    _id: lineKey(batchId, line),
    batchId,
    line,
    customId: `id-${line}`,
    kind: 'completed',
    statusCode: 200,
    requestId: newRequestId(),
    body: `{"answer":${line}}`,
    error: null,
    laneId: 'lane',
    usage: { promptTokens: 10, cachedPromptTokens: 4, completionTokens: 5, reasoningTokens: 2 },
    at: 1,
    ...given,
  };
}

async function* once(text: string): AsyncGenerator<Uint8Array, void, undefined> {
  yield Buffer.from(text, 'utf8');
}
