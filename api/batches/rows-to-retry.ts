import { ApiError } from '../../core/errors.ts';
import { retryReason, type RetryReason } from '../../core/wire/batch-retry.ts';
import { splitLines } from '../../core/wire/line-splitter.ts';
import type { BatchResultStore, LineEnd } from '../../store/batch-results.ts';
import type { FileStore } from '../../store/files.ts';

/** Lines whose ends are looked up at a time. */
const LINES_AT_A_TIME = 250;

/** Rows go on in pieces of this size: a piece for each would be a write for each. */
const PIECE_BYTES = 256 * 1024;

const LINE_FEED = Buffer.from('\n');

export interface RowsToRetry {
  readonly batchId: string;
  /** Under which the rows of the batch are stored. */
  readonly bodyId: string;
  /** Lines of the batch. */
  readonly total: number;
  readonly only: ReadonlySet<RetryReason>;
}

/**
 * The rows of a batch that is over whose lines have no answer, byte by byte as they were. Reads the input once from start to end
 * and holds one piece of it.
 * @throws ApiError conflict when there is none, or when what became of a line is not known any more: it may have been answered.
 */
export async function* rowsToRetry(
  { files, results }: { readonly files: Pick<FileStore, 'bytes'>; readonly results: Pick<BatchResultStore, 'ends'> },
  { batchId, bodyId, total, only }: RowsToRetry,
): AsyncGenerator<Buffer, void, undefined> {
  let ends: ReadonlyMap<number, LineEnd> = new Map();
  let lookedUpTo = 0;
  let rows = 0;
  let piece: Buffer[] = [];
  let pieceBytes = 0;
  for await (const { number, bytes } of splitLines(files.bytes.read(bodyId))) {
    if (number > total) break;
    if (number > lookedUpTo) {
      const count = Math.min(LINES_AT_A_TIME, total - lookedUpTo);
      ends = new Map((await results.ends(batchId, lookedUpTo + 1, count)).map((end) => [end.line, end]));
      lookedUpTo += count;
    }
    const end = ends.get(number);
    if (end === undefined || bytes === null) throw unknownEnd(batchId, number);
    const reason = retryReason(end);
    if (reason === null || !only.has(reason)) continue;
    rows += 1;
    piece.push(bytes, LINE_FEED);
    pieceBytes += bytes.length + LINE_FEED.length;
    if (pieceBytes < PIECE_BYTES) continue;
    yield Buffer.concat(piece);
    piece = [];
    pieceBytes = 0;
  }
  if (rows === 0) throw nothingToRetry(batchId);
  if (pieceBytes > 0) yield Buffer.concat(piece);
}

/** What is not there need not be asked for again. */
export function nothingToRetry(batchId: string): ApiError {
  return new ApiError('conflict', `Batch ${batchId} has no such line without an answer: there is nothing to retry.`);
}

function unknownEnd(batchId: string, line: number): ApiError {
  return new ApiError(
    'conflict',
    `What became of line ${line} of batch ${batchId} is not stored any more, so it can't be retried without the risk of paying twice.`,
  );
}
