import { toOutputLine } from '../../core/wire/batch-output-line.ts';
import type { BatchResultDoc, BatchResultStore } from '../../store/batch-results.ts';

/** Lines that are looked for at a time. What is not there costs next to nothing, what is there comes without its body. */
const LOOKED_FOR_AT_A_TIME = 250;

/** Outcomes that are read whole at a time: 50 large answers fit into memory on both sides. */
const READ_AT_A_TIME = 50;

export interface ResultRange {
  readonly batchId: string;
  /** Lines after this one; lines count from 1. */
  readonly afterLine: number;
  /** The last line that there is. */
  readonly total: number;
  readonly kind: BatchResultDoc['kind'] | null;
  /** Outcomes that there are at least, by the running count; null when the batch is over and every line has one. */
  readonly counted: number | null;
}

type Results = Pick<BatchResultStore, 'outcomes' | 'readLines'>;

/** The outcomes of a batch so far, as lines of an output file, in line order. Holds one page, whatever the size of the batch. */
export async function* readResults(results: Results, range: ResultRange): AsyncGenerator<string, void, undefined> {
  for await (const found of blocks(results, range)) {
    const lines = found.filter(({ kind }) => range.kind === null || kind === range.kind).map(({ line }) => line);
    yield* readWhole(results, range.batchId, lines);
  }
}

/** Lines of one page, and how far to go on. */
export interface ResultPage {
  readonly lines: readonly number[];
  /** Up to this line none is without an outcome: who goes on after it misses nothing. */
  readonly completeTo: number;
}

/** Looks for the first lines of a range that have an outcome. */
export async function findResultPage(results: Results, range: ResultRange, limit: number): Promise<ResultPage> {
  const lines: number[] = [];
  let completeTo = range.afterLine;
  for await (const found of blocks(results, range)) {
    for (const outcome of found) {
      if (outcome.line === completeTo + 1) completeTo = outcome.line;
      if (range.kind !== null && outcome.kind !== range.kind) continue;
      lines.push(outcome.line);
      if (lines.length >= limit) return { lines, completeTo };
    }
  }
  return { lines, completeTo };
}

/** These lines as lines of an output file. */
export async function* readWhole(
  results: Results,
  batchId: string,
  lines: readonly number[],
): AsyncGenerator<string, void, undefined> {
  for (let from = 0; from < lines.length; from += READ_AT_A_TIME) {
    const page = await results.readLines(batchId, lines.slice(from, from + READ_AT_A_TIME));
    yield page.map(toOutputLine).join('');
  }
}

type Seen = Pick<BatchResultDoc, 'line' | 'kind'>;

/**
 * The outcomes of a range, block by block. Ends before the last line where nothing has come out yet: looking for 250 lines that are
 * not there takes the embedded server some 50 ms. What is counted late is found by the next who ask, and at the end in any case.
 */
async function* blocks(results: Results, range: ResultRange): AsyncGenerator<readonly Seen[], void, undefined> {
  const { batchId, afterLine, total, counted } = range;
  let seen = afterLine;
  for (let after = afterLine; after < total; after += LOOKED_FOR_AT_A_TIME) {
    const found = await results.outcomes(batchId, after + 1, Math.min(LOOKED_FOR_AT_A_TIME, total - after));
    if (found.length === 0 && counted !== null && seen >= counted) return;
    seen += found.length;
    yield found.sort((a, b) => a.line - b.line);
  }
}
