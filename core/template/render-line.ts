import { lineTooLong, type LineProblem } from '../wire/batch-line.ts';
import { MAX_LINE_BYTES } from '../wire/line-splitter.ts';
import type { CompiledTemplate, TemplateStep } from './compile-template.ts';
import { toText, type TemplateRow } from './row-values.ts';

/** A long template on many rows can make a file that is far larger than what was uploaded; this fits on any disk. */
export const MAX_MADE_BYTES = 1024 * 1024 * 1024;

/** `made` is how many characters were written for it, whatever became of them. */
export type RenderedLine =
  | { readonly ok: true; readonly text: string; readonly made: number }
  | { readonly ok: false; readonly problem: LineProblem; readonly made: number };

/** Names of columns that an error lists. */
const LISTED_NAMES = 30;
const LISTED_CHARACTERS = 100;

class RowProblem extends Error {
  readonly problem: LineProblem;
  constructor(problem: LineProblem) {
    super(problem.message);
    this.problem = problem;
  }
}

/** Writes one row as a line of a batch's input, with its LF. */
export function createLineWriter(
  { body, customId }: CompiledTemplate,
  endpoint: string,
  maxBytes: number = MAX_LINE_BYTES,
) {
  const tail = `","method":"POST","url":${JSON.stringify(endpoint)},"body":`;

  /** Stops as soon as the line is too long: a template may name a large column thousands of times. */
  let made = 0;
  const write = (steps: readonly TemplateStep[], row: TemplateRow, before: string): string => {
    let text = before;
    for (const step of steps) {
      text += step.kind === 'json' ? step.text : writeColumn(step, row);
      made = text.length;
      if (text.length > maxBytes) throw new RowProblem(lineTooLong(maxBytes));
    }
    return text;
  };

  /** @param number of the row; counts from 1. */
  return (row: TemplateRow, number: number): RenderedLine => {
    made = 0;
    try {
      const head = '{"custom_id":"';
      const named = customId === null ? `${head}row-${number}` : write(customId, row, head);
      const text = `${write(body, row, named + tail)}}\n`;
      return { ok: true, text, made };
    } catch (error) {
      if (error instanceof RowProblem) return { ok: false, problem: error.problem, made };
      throw error;
    }
  };
}

/** A row, or a whole file, that lacks a column which the template names. */
export function unknownColumn(column: string, names: readonly string[]): LineProblem {
  const listed = names.slice(0, LISTED_NAMES).map((name) => JSON.stringify(name.slice(0, LISTED_CHARACTERS)));
  const more = names.length > LISTED_NAMES ? `, and ${names.length - LISTED_NAMES} more` : '';
  const wanted = JSON.stringify(column.slice(0, LISTED_CHARACTERS));
  const there = listed.length === 0 ? 'there are none' : `there are ${listed.join(', ')}${more}`;
  return {
    code: 'unknown_column',
    message: `The template names the column ${wanted}, which is not there; ${there}.`,
    param: 'template',
  };
}

/** More lines than anybody stores, or reads to the end. */
export function tooMuchMade(maxBytes: number): LineProblem {
  const message = `The template makes more than ${maxBytes} bytes of the file's rows. Use a shorter template or fewer rows.`;
  return { code: 'invalid_request', message, param: 'template' };
}

function writeColumn(step: Exclude<TemplateStep, { kind: 'json' }>, row: TemplateRow): string {
  const found = row.value(step.column);
  if (!found.found) throw new RowProblem(unknownColumn(step.column, row.names));
  const { value } = found;
  if (holdsInexactNumber(value)) {
    throw new RowProblem({
      code: 'inexact_number',
      message: `The number in ${JSON.stringify(step.column.slice(0, LISTED_CHARACTERS))} is too large to be kept exactly: write it as text.`,
      param: 'template',
    });
  }
  return step.kind === 'value' ? JSON.stringify(value) : JSON.stringify(toText(value)).slice(1, -1);
}

/**
 * True for a number that is not what stood in the JSON any more, or for a value with one in it: past 2^53 it is rounded, past
 * 10^308 infinite. The depth of values is bounded.
 */
function holdsInexactNumber(value: unknown): boolean {
  if (typeof value === 'number')
    return Number.isInteger(value) ? !Number.isSafeInteger(value) : !Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some(holdsInexactNumber);
}
