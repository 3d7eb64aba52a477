import type { OutcomeSize } from './batch-results.ts';

/** Outcomes that are read whole at a time, at most. */
const LINES_AT_A_TIME = 50;

/** Bytes of their bodies together: an answer may have 15 MiB, and 50 of those would fit neither here nor into the embedded server. */
const BYTES_AT_A_TIME = 4 * 1024 * 1024;

/** Lines by the page, in their order. What is large is read alone, and so is what nobody knows the size of. */
export function pagesBySize(outcomes: readonly OutcomeSize[]): readonly (readonly number[])[] {
  const pages: number[][] = [];
  let room = 0;
  for (const { line, bodyBytes = BYTES_AT_A_TIME } of outcomes.toSorted((a, b) => a.line - b.line)) {
    const page = pages.at(-1);
    if (page !== undefined && page.length < LINES_AT_A_TIME && bodyBytes <= room) page.push(line);
    else {
      pages.push([line]);
      room = BYTES_AT_A_TIME;
    }
    room -= bodyBytes;
  }
  return pages;
}
