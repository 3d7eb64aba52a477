import { createMadeCount } from '../../core/template/made-count.ts';
import { readRows, rowFormat } from '../../core/template/read-rows.ts';
import { createLineWriter, MAX_MADE_BYTES, tooMuchMade, unknownColumn } from '../../core/template/render-line.ts';
import { checkBatchLine, lineTooLong, type CheckedLine, type LineProblem } from '../../core/wire/batch-line.ts';
import { compileStoredTemplate, type BatchTemplate } from '../../core/wire/batch-template.ts';
import { isBlank, MAX_LINE_BYTES, splitLines } from '../../core/wire/line-splitter.ts';

export interface ReadLinesOptions {
  readonly endpoint: string;
  readonly filename: string;
  readonly template: BatchTemplate | null;
  /** As for a batch unless set. */
  readonly maxMadeBytes?: number;
}

export interface NumberedLine {
  /** As errors count it; null where it is about the whole file. */
  readonly number: number | null;
  readonly checked: CheckedLine;
}

/** The lines of a batch's input, or those that its template makes of the rows, checked one by one. Holds one of them. */
export function readLines(source: AsyncIterable<Uint8Array>, options: ReadLinesOptions): AsyncIterable<NumberedLine> {
  const { endpoint, template } = options;
  return template === null ? plainLines(source, endpoint) : madeLines(source, template, options);
}

async function* plainLines(
  source: AsyncIterable<Uint8Array>,
  endpoint: string,
): AsyncGenerator<NumberedLine, void, undefined> {
  for await (const { number, bytes } of splitLines(source)) {
    if (bytes === null) yield { number, checked: refused(lineTooLong(MAX_LINE_BYTES)) };
    else if (!isBlank(bytes)) yield { number, checked: checkBatchLine(bytes, endpoint) };
  }
}

async function* madeLines(
  source: AsyncIterable<Uint8Array>,
  template: BatchTemplate,
  { endpoint, filename, maxMadeBytes = MAX_MADE_BYTES }: ReadLinesOptions,
): AsyncGenerator<NumberedLine, void, undefined> {
  const made = createMadeCount(maxMadeBytes);
  const compiled = compileStoredTemplate(template.text);
  const writeLine = createLineWriter(compiled, endpoint);
  let rows = 0;
  for await (const item of readRows(source, rowFormat(filename, template.delimiter))) {
    if (item.kind === 'problem') yield { number: item.line, checked: refused(item.problem) };
    else if (item.kind === 'row') {
      const line = writeLine(item.row, ++rows);
      const checked = line.ok ? checkBatchLine(Buffer.from(line.text), endpoint) : refused(line.problem);
      yield { number: item.line, checked };
      if (await made.add(line.made)) continue;
      yield { number: null, checked: refused(tooMuchMade(maxMadeBytes)) };
      return;
    } else {
      const missing = compiled.columns.find((column) => !item.columns.includes(column));
      if (missing === undefined) continue;
      yield { number: item.line, checked: refused(unknownColumn(missing, item.columns)) };
      return;
    }
  }
}

function refused(problem: LineProblem): CheckedLine {
  return { ok: false, problem };
}
