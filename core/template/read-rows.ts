import { isJsonObject } from '../wire/json-object.ts';
import { readCsv } from '../csv/read-csv.ts';
import { jsonProblem, lineTooLong, type LineProblem } from '../wire/batch-line.ts';
import { isCsvName } from '../wire/file-name.ts';
import { parseBoundedJson } from '../wire/json-limits.ts';
import { isBlank, MAX_LINE_BYTES, splitLines } from '../wire/line-splitter.ts';
import { createCsvRows, toJsonRow, type TemplateRow } from './row-values.ts';

/** How a batch's file with rows is to be read. */
export type RowFormat = { readonly kind: 'csv'; readonly delimiter: string | null } | { readonly kind: 'jsonl' };

/** What reading rows gives, in the order of the file. `line` is where it begins; null where it is about the whole file. */
export type RowItem =
  /** Once, before all rows, where the columns of all rows are the same. */
  | { readonly kind: 'columns'; readonly line: number; readonly columns: readonly string[] }
  | { readonly kind: 'row'; readonly line: number; readonly row: TemplateRow }
  | { readonly kind: 'problem'; readonly line: number | null; readonly problem: LineProblem; readonly isLast: boolean };

/** The rows of a file of this name. */
export function rowFormat(filename: string, delimiter: string | null): RowFormat {
  return isCsvName(filename) ? { kind: 'csv', delimiter } : { kind: 'jsonl' };
}

/**
 * Reads the rows of a file, one at a time.
 * @throws what the source throws
 */
export function readRows(source: AsyncIterable<Uint8Array>, format: RowFormat): AsyncIterable<RowItem> {
  return format.kind === 'csv' ? csvRows(source, format.delimiter) : jsonRows(source);
}

async function* csvRows(
  source: AsyncIterable<Uint8Array>,
  delimiter: string | null,
): AsyncGenerator<RowItem, void, undefined> {
  let toRow = createCsvRows([]);
  for await (const item of readCsv(source, { delimiter })) {
    switch (item.kind) {
      case 'header':
        toRow = createCsvRows(item.columns);
        yield { kind: 'columns', line: item.line, columns: item.columns };
        break;
      case 'row':
        yield { kind: 'row', line: item.line, row: toRow(item.cells) };
        break;
      case 'problem': {
        const problem: LineProblem = { code: 'invalid_csv', message: item.message, param: null };
        yield { kind: 'problem', line: item.line, problem, isLast: item.isLast };
      }
    }
  }
}

async function* jsonRows(source: AsyncIterable<Uint8Array>): AsyncGenerator<RowItem, void, undefined> {
  /** A blank line is an error only if a line with something in it follows. */
  let blank: number | null = null;
  for await (const { number: line, bytes } of splitLines(source)) {
    if (bytes !== null && isBlank(bytes)) {
      blank ??= line;
      continue;
    }
    if (blank !== null) {
      yield { kind: 'problem', line: blank, problem: jsonProblem({ ok: false, reason: 'not_json' }), isLast: false };
      blank = null;
    }
    const parsed = bytes === null ? null : parseBoundedJson(bytes);
    if (parsed === null) {
      yield { kind: 'problem', line, problem: lineTooLong(MAX_LINE_BYTES), isLast: false };
    } else if (!parsed.ok) {
      yield { kind: 'problem', line, problem: jsonProblem(parsed), isLast: false };
    } else if (!isJsonObject(parsed.value)) {
      yield { kind: 'problem', line, problem: NO_OBJECT, isLast: false };
    } else {
      yield { kind: 'row', line, row: toJsonRow(parsed.value) };
    }
  }
}

const NO_OBJECT: LineProblem = {
  code: 'invalid_json_line',
  message: 'This line is not a JSON object, so it has no columns.',
  param: null,
};
