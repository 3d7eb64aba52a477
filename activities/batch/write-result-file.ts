import { createHash, randomBytes } from 'node:crypto';
import { toOutputLine } from '../../core/wire/batch-output-line.ts';
import { DEFAULT_FILE_LIFE_SECONDS } from '../../core/wire/file-object.ts';
import type { BatchResultDoc, BatchResultStore } from '../../store/batch-results.ts';
import type { BatchDoc } from '../../store/batches.ts';
import type { FileStore } from '../../store/files.ts';
import type { ChunkReader } from './load-chunk.ts';

/** Outcomes that are read at a time: small enough that 50 large answers fit into memory on both sides. */
const LINES_AT_A_TIME = 50;

export interface ResultFileDeps {
  readonly files: FileStore;
  readonly results: BatchResultStore;
  readonly chunkReader: Pick<ChunkReader, 'find'>;
  readonly checkIn: (chunksDone: number) => void;
}

/** The id of a batch's output or error file: the same however often it is written. */
export function resultFileId(batchId: string, kind: BatchResultDoc['kind']): string {
  return `file-${createHash('sha256').update(`${batchId}:${kind}`).digest('hex').slice(0, 32)}`;
}

/**
 * Writes all outcomes of one kind, in line order, as a file of the batch's owner, and returns its id. Each try writes bytes
 * of its own and then claims the file by inserting its document: a try that comes second removes its bytes and takes the
 * file that is there, which holds the same, so two tries at once can't spoil each other's file.
 */
export async function writeResultFile(
  deps: ResultFileDeps,
  batch: BatchDoc,
  kind: BatchResultDoc['kind'],
  now: () => number,
): Promise<string> {
  const { files } = deps;
  const fileId = resultFileId(batch._id, kind);
  if ((await files.find(fileId)) !== null) return fileId;
  const bodyId = `${fileId}.${randomBytes(8).toString('hex')}`;
  const { bytes, sha256 } = await files.bytes.write(bodyId, resultLines(deps, batch, kind));
  const createdAt = now();
  const claimed = await files.insertOnce({
    _id: fileId,
    ownerId: batch.ownerId,
    bytes,
    createdAt,
    expiresAt: createdAt + (batch.outputExpiresAfterSeconds ?? DEFAULT_FILE_LIFE_SECONDS) * 1000,
    filename: `${batch._id}_${kind === 'completed' ? 'output' : 'error'}.jsonl`,
    purpose: 'batch_output',
    status: 'processed',
    deletedAt: null,
    sha256,
    bodyId,
    bytesRemoved: false,
    batchId: batch._id,
  });
  if (!claimed) await files.bytes.remove(bodyId);
  return fileId;
}

async function* resultLines(
  { results, chunkReader, checkIn }: ResultFileDeps,
  batch: BatchDoc,
  kind: BatchResultDoc['kind'],
): AsyncGenerator<string, void, undefined> {
  for (let chunkIndex = 0; chunkIndex < batch.chunks; chunkIndex++) {
    const { firstLine, lineCount } = await chunkReader.find(batch._id, chunkIndex);
    for (let offset = 0; offset < lineCount; offset += LINES_AT_A_TIME) {
      const count = Math.min(LINES_AT_A_TIME, lineCount - offset);
      const page = await results.readKind(batch._id, kind, firstLine + offset, count);
      if (page.length > 0) yield page.map(toOutputLine).join('');
    }
    checkIn(chunkIndex + 1);
  }
}
