import { createHash } from 'node:crypto';
import { LINES_IN_A_CHUNK } from '../../core/contracts/batch.ts';
import type { BatchError } from '../../core/wire/batch-object.ts';
import {
  checkBatchLine,
  duplicateCustomId,
  lineTooLong,
  modelNotFound,
  type LineProblem,
} from '../../core/wire/batch-line.ts';
import { isBlank, MAX_LINE_BYTES, splitLines, type ByteLine } from '../../core/wire/line-splitter.ts';

/** OpenAI's limit for one batch. */
export const MAX_BATCH_LINES = 50_000;

/** OpenAI's limit for embeddings: texts over all lines of a batch, which may have many each. */
const MAX_EMBEDDING_INPUTS = 50_000;

/** Bad lines that are listed; the file is refused anyway, so the rest is not looked at. */
export const MAX_LISTED_ERRORS = 1000;

/** A chunk is closed at this size even with few lines, so that whoever serves it holds little. */
const CHUNK_CLOSES_AT_BYTES = 4 * 1024 * 1024;

/** Place of one chunk in the file. */
export interface ScannedChunk {
  readonly chunkIndex: number;
  readonly firstLine: number;
  readonly lineCount: number;
  readonly byteStart: number;
  readonly byteEnd: number;
}

type OpenChunk = Omit<ScannedChunk, 'chunkIndex'>;

export interface ScanOptions {
  readonly endpoint: string;
  /** Asked once for each name. */
  readonly isModelServed: (model: string) => Promise<boolean>;
  /** Called with each chunk as it is complete, in order, also when a later line turns out to be bad. */
  readonly onChunk: (chunk: ScannedChunk) => Promise<void>;
  /** The number under which a line is known to the caller, where it was made of a row of another file. */
  readonly lineOf?: (number: number) => number;
  readonly maxLineBytes?: number;
  readonly maxLines?: number;
  readonly maxEmbeddingInputs?: number;
}

export interface ScanResult {
  readonly lines: number;
  readonly chunks: number;
  /** The models named, each once. */
  readonly models: readonly string[];
  readonly errors: readonly BatchError[];
}

/**
 * Reads a batch's input once, from start to end, and checks every line. Holds one line, one chunk's place and a hash of
 * 16 bytes a `custom_id`, whatever the size of the file.
 */
export async function scanBatchInput(source: AsyncIterable<Uint8Array>, options: ScanOptions): Promise<ScanResult> {
  const { endpoint, onChunk, maxLineBytes = MAX_LINE_BYTES, maxLines = MAX_BATCH_LINES } = options;
  const { maxEmbeddingInputs = MAX_EMBEDDING_INPUTS } = options;
  const { lineOf = (number: number) => number } = options;
  const errors: BatchError[] = [];
  const firstLineOf = new Map<string, number>();
  const served = new Map<string, boolean>();
  let lines = 0;
  let chunks = 0;
  let embeddingInputs = 0;
  let open: OpenChunk | null = null;
  /** Blank lines that are an error only if a line with something in it follows. */
  const blanks: number[] = [];

  const report = (line: number, problem: LineProblem): void => {
    if (errors.length < MAX_LISTED_ERRORS) errors.push({ ...problem, line: lineOf(line) });
  };
  const isServed = async (model: string): Promise<boolean> => {
    const known = served.get(model) ?? (await options.isModelServed(model));
    served.set(model, known);
    return known;
  };
  const checkLine = async ({ number, bytes }: ByteLine): Promise<LineProblem | null> => {
    if (bytes === null) return lineTooLong(maxLineBytes);
    const checked = checkBatchLine(bytes, endpoint);
    if (!checked.ok) return checked.problem;
    const { customId, model } = checked.line;
    const id = createHash('sha256').update(customId).digest().toString('latin1', 0, 16);
    const firstLine = firstLineOf.get(id);
    if (firstLine !== undefined) return duplicateCustomId(customId, lineOf(firstLine));
    firstLineOf.set(id, number);
    embeddingInputs += checked.line.embeddingInputs;
    return (await isServed(model)) ? null : modelNotFound(model);
  };
  const closeChunk = async (): Promise<void> => {
    if (open === null) return;
    const chunk = { ...open, chunkIndex: chunks++ };
    open = null;
    await onChunk(chunk);
  };

  for await (const line of splitLines(source, maxLineBytes)) {
    if (line.bytes !== null && isBlank(line.bytes)) {
      if (blanks.length < MAX_LISTED_ERRORS) blanks.push(line.number);
      continue;
    }
    for (const number of blanks.splice(0)) report(number, UNPARSEABLE);
    if (++lines > maxLines) {
      errors.splice(0, errors.length, tooManyLines(maxLines));
      break;
    }
    const problem = await checkLine(line);
    if (problem !== null) report(line.number, problem);
    if (embeddingInputs > maxEmbeddingInputs) {
      errors.splice(0, errors.length, tooManyInputs(maxEmbeddingInputs));
      break;
    }
    if (errors.length >= MAX_LISTED_ERRORS) break;
    // Chunks of a file that is refused are of no use, and one that skips a bad line would count its lines wrong.
    if (errors.length > 0) continue;
    open = extend(open, line);
    if (open.lineCount >= LINES_IN_A_CHUNK || open.byteEnd - open.byteStart >= CHUNK_CLOSES_AT_BYTES)
      await closeChunk();
  }
  if (errors.length === 0) await closeChunk();
  if (lines === 0) errors.push(EMPTY_FILE);
  return { lines, chunks, models: [...served.keys()], errors };
}

function extend(open: OpenChunk | null, { number, start, end }: ByteLine): OpenChunk {
  if (open === null) return { firstLine: number, lineCount: 1, byteStart: start, byteEnd: end };
  return { ...open, lineCount: open.lineCount + 1, byteEnd: end };
}

const UNPARSEABLE: LineProblem = {
  code: 'invalid_json_line',
  message: 'This line is not parseable as valid JSON.',
  param: null,
};

const EMPTY_FILE: BatchError = {
  code: 'empty_file',
  message: 'The input file is empty. Please ensure that your batch contains at least one request.',
  param: 'input_file_id',
  line: null,
};

function tooManyLines(limit: number): BatchError {
  const message = `The input file has more than ${limit} lines.`;
  return { code: 'invalid_request', message, param: 'input_file_id', line: null };
}

function tooManyInputs(limit: number): BatchError {
  const message = `The lines of the input file ask for more than ${limit} embeddings.`;
  return { code: 'invalid_request', message, param: 'input_file_id', line: null };
}
