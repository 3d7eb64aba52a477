import { randomBytes } from 'node:crypto';
import { createLineWriter, MAX_MADE_BYTES, tooMuchMade, unknownColumn } from '../../core/template/render-line.ts';
import { createMadeCount } from '../../core/template/made-count.ts';
import { readRows, rowFormat, type RowItem } from '../../core/template/read-rows.ts';
import type { BatchError } from '../../core/wire/batch-object.ts';
import type { LineProblem } from '../../core/wire/batch-line.ts';
import { compileStoredTemplate } from '../../core/wire/batch-template.ts';
import type { BatchDoc, BatchStore, StoredTemplate } from '../../store/batches.ts';
import type { FileDoc, FileStore } from '../../store/files.ts';
import { MAX_BATCH_LINES, MAX_LISTED_ERRORS } from './scan-input.ts';

/** Lines are stored in pieces of about so many characters: a write for each line would take longer than making it. */
const PIECE_CHARACTERS = 64 * 1024;

export interface MakeLinesDeps {
  readonly files: FileStore;
  readonly batches: BatchStore;
  /** Says that the work goes on, with the bytes read so far. May throw to end it. */
  readonly checkIn: (bytesRead: number) => void;
  readonly maxMadeBytes?: number;
}

/** Lines that were made of a file's rows, and where in the file each row begins. */
export type MadeLines =
  | { readonly ok: true; readonly bodyId: string; readonly lineOf: (number: number) => number }
  | { readonly ok: false; readonly errors: readonly BatchError[] };

/**
 * Makes the lines of a batch out of the rows of its file by its template, and stores them as bytes of their own, which then stand
 * for the batch's input. Safe to run twice, and at once: each try writes bytes of its own, the first to note them in the batch
 * stands, and the others remove theirs. Null when the batch was cancelled or decided on meanwhile.
 */
export async function makeLines(
  deps: MakeLinesDeps,
  batch: BatchDoc,
  template: StoredTemplate,
  file: FileDoc,
): Promise<MadeLines | null> {
  const { files, batches } = deps;
  const places: number[] = [];
  const made = (bodyId: string): MadeLines => ({ ok: true, bodyId, lineOf: (number) => places[number - 1] ?? number });
  const rows = readRows(
    countBytes(files.bytes.read(file.bodyId), deps.checkIn),
    rowFormat(file.filename, template.delimiter),
  );

  if (template.bodyId !== null) {
    for await (const item of rows) {
      if (item.kind === 'row') places.push(item.line);
      if (places.length > MAX_BATCH_LINES) break;
    }
    await files.bytes.claim(template.bodyId);
    return made(template.bodyId);
  }

  const errors: BatchError[] = [];
  const bodyId = `${batch._id}.lines.${randomBytes(8).toString('hex')}`;
  const lines = writeLines(rows, { batch, template, places, errors, maxBytes: deps.maxMadeBytes ?? MAX_MADE_BYTES });
  await files.bytes.write(bodyId, lines);
  const kept = errors.length > 0 ? null : await batches.keepLines(batch._id, bodyId);
  if (kept !== bodyId) await files.bytes.remove(bodyId);
  if (errors.length > 0) return { ok: false, errors };
  if (kept === null) return null;
  await files.bytes.claim(kept);
  return made(kept);
}

interface Writing {
  readonly batch: BatchDoc;
  readonly template: StoredTemplate;
  /** Filled with the line on which each row begins. */
  readonly places: number[];
  /** Filled with what is wrong; nothing is written any more after the first. */
  readonly errors: BatchError[];
  readonly maxBytes: number;
}

async function* writeLines(
  rows: AsyncIterable<RowItem>,
  { batch, template, places, errors, maxBytes }: Writing,
): AsyncGenerator<Buffer, void, undefined> {
  const compiled = compileStoredTemplate(template.text);
  const writeLine = createLineWriter(compiled, batch.endpoint);
  const made = createMadeCount(maxBytes);
  let held = '';
  let bytes = 0;
  let isTooMuch = false;
  const report = (line: number | null, problem: LineProblem): void => void errors.push({ ...problem, line });
  const flush = (): Buffer => {
    const piece = Buffer.from(held, 'utf8');
    held = '';
    bytes += piece.length;
    return piece;
  };

  for await (const item of rows) {
    if (item.kind === 'columns') {
      const missing = compiled.columns.find((column) => !item.columns.includes(column));
      if (missing === undefined) continue;
      report(item.line, unknownColumn(missing, item.columns));
      return;
    }
    if (item.kind === 'problem') report(item.line, item.problem);
    else {
      places.push(item.line);
      const line = writeLine(item.row, places.length);
      if (!line.ok) report(item.line, line.problem);
      else if (errors.length === 0) held += line.text;
      isTooMuch = !(await made.add(line.made));
    }
    if (held.length >= PIECE_CHARACTERS) yield flush();
    isTooMuch ||= bytes > maxBytes;
    if (isTooMuch) report(null, tooMuchMade(maxBytes));
    // One row more than a batch may have: whoever reads the lines refuses them, in the words for all batches.
    if (errors.length >= MAX_LISTED_ERRORS || isTooMuch || places.length > MAX_BATCH_LINES) break;
  }
  if (held !== '') yield flush();
}

/** Says how far a source has been read. */
export async function* countBytes(
  source: AsyncIterable<Buffer>,
  checkIn: MakeLinesDeps['checkIn'],
): AsyncGenerator<Buffer, void, undefined> {
  let bytesRead = 0;
  for await (const piece of source) {
    bytesRead += piece.length;
    checkIn(bytesRead);
    yield piece;
  }
}
