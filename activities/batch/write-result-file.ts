import { createHash, randomBytes } from 'node:crypto';
import { toOutputLine } from '../../core/wire/batch-output-line.ts';
import { DEFAULT_FILE_LIFE_SECONDS } from '../../core/wire/file-object.ts';
import type { BatchResultDoc, BatchResultStore } from '../../store/batch-results.ts';
import type { BatchDoc } from '../../store/batches.ts';
import type { FileStore } from '../../store/files.ts';

/** Outcomes that are read at a time: small enough that 50 large answers fit into memory on both sides. */
const LINES_AT_A_TIME = 50;

export interface ResultFileDeps {
  readonly files: FileStore;
  readonly results: BatchResultStore;
  /** Says that the work goes on, with the lines written so far. May throw to end it. */
  readonly checkIn: (linesWritten: number) => void;
}

/** The id of a batch's output or error file: the same however often it is written. */
export function resultFileId(batchId: string, kind: BatchResultDoc['kind']): string {
  return `file-${createHash('sha256').update(`${batchId}:${kind}`).digest('hex').slice(0, 32)}`;
}

/**
 * Writes the outcomes of these lines, all that are of one kind, as a file of the batch's owner, and returns its id. Each try writes bytes
 * of its own and then claims the file by inserting its document: a try that comes second removes its bytes and takes the
 * file that is there, which holds the same, so two tries at once can't spoil each other's file.
 */
export async function writeResultFile(
  deps: ResultFileDeps,
  batch: BatchDoc,
  kind: BatchResultDoc['kind'],
  lines: readonly number[],
  now: () => number,
): Promise<string> {
  const { files } = deps;
  const fileId = resultFileId(batch._id, kind);
  if ((await files.find(fileId)) !== null) return fileId;
  const bodyId = `${fileId}.${randomBytes(8).toString('hex')}`;
  const { bytes, sha256 } = await files.bytes.write(bodyId, resultLines(deps, batch._id, lines));
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
  { results, checkIn }: ResultFileDeps,
  batchId: string,
  lines: readonly number[],
): AsyncGenerator<string, void, undefined> {
  for (let from = 0; from < lines.length; from += LINES_AT_A_TIME) {
    const page = await results.readLines(batchId, lines.slice(from, from + LINES_AT_A_TIME));
    yield page.map(toOutputLine).join('');
    checkIn(from + page.length);
  }
}
