import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CsvError, parse } from 'csv-parse';
import { MAX_LINE_BYTES } from '../wire/line-splitter.ts';
import { boundCells, TooManyCells } from './bound-cells.ts';
import { readCsvHead } from './csv-head.ts';

/** What reading a CSV file gives, in the order of the file. */
export type CsvItem =
  /** Comes first, once, unless the file has no usable header row. */
  | { readonly kind: 'header'; readonly line: number; readonly columns: readonly string[] }
  | { readonly kind: 'row'; readonly line: number; readonly cells: readonly string[] }
  /** A row that is refused. `isLast` when nothing can be read after it. */
  | { readonly kind: 'problem'; readonly line: number | null; readonly message: string; readonly isLast: boolean };

export interface CsvOptions {
  /** null: one of `,` `;` and tab is taken from the header row. */
  readonly delimiter: string | null;
  /** A row above this is refused, and so is a quote that is never closed. It bounds each cell as well. */
  readonly maxRowBytes?: number;
}

/** More are taken for a wrong delimiter. */
const MAX_COLUMNS = 1000;
const MAX_NAME_CHARACTERS = 256;

const NOT_ASCII = /[^\0-\x7F]/;

/** A row with the line on which it begins. */
interface PlacedRecord {
  readonly line: number;
  readonly cells: readonly string[];
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads CSV as RFC 4180 has it, with LF, CRLF and CR, a BOM, quoted cells with line breaks, and blank lines, which are passed
 * over. Holds one row and one piece of the source, whatever the size of the file. Cells come as they are: nothing is trimmed
 * or taken for a number. Names of columns are trimmed; empty ones and two alike are refused.
 * @throws what the source throws
 */
export async function* readCsv(
  source: AsyncIterable<Uint8Array>,
  { delimiter, maxRowBytes = MAX_LINE_BYTES }: CsvOptions,
): AsyncGenerator<CsvItem, void, undefined> {
  const head = await readCsvHead(source, delimiter);
  if (!head.ok) {
    yield { kind: 'problem', line: 1, message: head.message, isLast: true };
    return;
  }
  let columns: readonly string[] | undefined;
  for await (const record of readRecords(head.source, head.delimiter, maxRowBytes)) {
    if ('message' in record) {
      yield { kind: 'problem', ...record, isLast: true };
      return;
    }
    const { line } = record;
    const cells = decode(record.cells);
    if (columns === undefined) {
      const checked: HeaderCheck = cells === null ? { ok: false, message: NOT_UTF8 } : checkHeader(cells);
      if (!checked.ok) {
        yield { kind: 'problem', line, message: checked.message, isLast: true };
        return;
      }
      ({ columns } = checked);
      yield { kind: 'header', line, columns };
    } else if (cells === null) {
      yield { kind: 'problem', line, message: NOT_UTF8, isLast: false };
    } else if (cells.length !== columns.length) {
      const message = `This row has ${countOf(cells.length, 'cell')}; the header row names ${countOf(columns.length, 'column')}.`;
      yield { kind: 'problem', line, message, isLast: false };
    } else {
      yield { kind: 'row', line, cells };
    }
  }
  if (columns === undefined)
    yield { kind: 'problem', line: null, message: 'The file has no header row.', isLast: true };
}

const NOT_UTF8 = 'This row is not valid UTF-8.';

/**
 * Bytes pass through the parser as Latin-1, one character a byte, so that its bound counts bytes and UTF-8 is checked here,
 * row by row, instead of being repaired silently.
 */
async function* readRecords(
  source: AsyncIterable<Uint8Array>,
  delimiter: string,
  maxRowBytes: number,
): AsyncGenerator<PlacedRecord | { readonly line: number; readonly message: string }, void, undefined> {
  /** Lines of the records so far. Blank lines are counted by the parser; its own count of lines takes a quoted CRLF for two. */
  let lines = 0;
  const parser = parse({
    encoding: 'latin1',
    delimiter,
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: maxRowBytes,
    on_record: (cells, { empty_lines: blank }) => {
      const record: PlacedRecord = { line: lines + blank + 1, cells };
      lines += 1 + cells.reduce((sum, cell) => sum + countLineBreaks(cell), 0);
      // The parser passes on whatever this returns; its types know of arrays alone.
      return record as unknown as string[];
    },
  });
  const piped = pipeline(Readable.from(boundCells(source, delimiter), { objectMode: false }), parser);
  // It fails with what the loop below throws as well, or because the reader has gone.
  piped.catch(() => {});
  try {
    for await (const record of parser) yield record as PlacedRecord;
  } catch (error) {
    if (error instanceof TooManyCells) {
      yield { line: error.line, message: error.message };
      return;
    }
    if (!(error instanceof CsvError)) throw error;
    const blank = error['empty_lines'];
    yield { line: lines + (typeof blank === 'number' ? blank : 0) + 1, message: messageOf(error, maxRowBytes) };
  }
}

/** LF, CRLF and CR, each as one. A cell may be nothing but line breaks, so none is kept. */
function countLineBreaks(cell: string): number {
  let count = 0;
  for (let at = cell.indexOf('\n'); at !== -1; at = cell.indexOf('\n', at + 1)) count++;
  for (let at = cell.indexOf('\r'); at !== -1; at = cell.indexOf('\r', at + 1)) if (cell[at + 1] !== '\n') count++;
  return count;
}

function messageOf({ code }: CsvError, maxRowBytes: number): string {
  switch (code) {
    case 'CSV_MAX_RECORD_SIZE':
      return `This row is longer than ${maxRowBytes} bytes. Is a quote not closed?`;
    case 'CSV_QUOTE_NOT_CLOSED':
      return 'A quote in this row is never closed.';
    case 'CSV_INVALID_CLOSING_QUOTE':
      return 'A quoted cell of this row goes on after its closing quote. A quote inside a quoted cell is written twice.';
    default:
      return 'A cell of this row has a quote, but does not begin with one. Such a cell is put in quotes, and its quotes are written twice.';
  }
}

function decode(cells: readonly string[]): readonly string[] | null {
  try {
    return cells.map((cell) => (NOT_ASCII.test(cell) ? utf8.decode(Buffer.from(cell, 'latin1')) : cell));
  } catch {
    return null;
  }
}

type HeaderCheck =
  | { readonly ok: true; readonly columns: readonly string[] }
  | { readonly ok: false; readonly message: string };

function checkHeader(cells: readonly string[]): HeaderCheck {
  const columns = cells.map((name) => name.trim());
  if (columns.length > MAX_COLUMNS) {
    return {
      ok: false,
      message: `The header row names ${columns.length} columns; at most ${MAX_COLUMNS} are accepted.`,
    };
  }
  const places = new Map<string, number>();
  for (const [index, name] of columns.entries()) {
    const earlier = places.get(name);
    const problem = nameProblem(name, index + 1, earlier);
    if (problem !== null) return { ok: false, message: problem };
    places.set(name, index + 1);
  }
  return { ok: true, columns };
}

function nameProblem(name: string, place: number, earlier: number | undefined): string | null {
  if (name === '') return `Column ${place} has no name in the header row.`;
  if (name.length > MAX_NAME_CHARACTERS) {
    return `The name of column ${place} is longer than ${MAX_NAME_CHARACTERS} characters.`;
  }
  if (earlier === undefined) return null;
  return `Columns ${earlier} and ${place} have the same name, ${JSON.stringify(name)}.`;
}

function countOf(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
