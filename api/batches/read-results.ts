import { toOutputLine } from '../../core/wire/batch-output-line.ts';
import type { BatchResultDoc, BatchResultStore, OutcomeSize } from '../../store/batch-results.ts';

/** Lines that are looked for at a time. What is not there costs next to nothing, what is there comes without its body. */
const LOOKED_FOR_AT_A_TIME = 250;

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

type Results = Pick<BatchResultStore, 'outcomes' | 'readWhole'>;

/** The outcomes of a batch so far, as lines of an output file, in line order. Holds one page, whatever the size of the batch. */
export async function* readResults(results: Results, range: ResultRange): AsyncGenerator<string, void, undefined> {
  for await (const found of blocks(results, range)) {
    const wanted = found.filter(({ kind }) => range.kind === null || kind === range.kind);
    yield* readLines(results, range.batchId, wanted);
  }
}

/** Outcomes of one page, and how far to go on. */
export interface ResultPage {
  readonly outcomes: readonly OutcomeSize[];
  /** Up to this line none is without an outcome: who goes on after it misses nothing. */
  readonly completeTo: number;
}

/** Looks for the first lines of a range that have an outcome. */
export async function findResultPage(
  results: Pick<Results, 'outcomes'>,
  range: ResultRange,
  limit: number,
): Promise<ResultPage> {
  const outcomes: OutcomeSize[] = [];
  let completeTo = range.afterLine;
  for await (const found of blocks(results, range)) {
    for (const { line, kind, bodyBytes } of found) {
      if (line === completeTo + 1) completeTo = line;
      if (range.kind !== null && kind !== range.kind) continue;
      outcomes.push({ line, ...(bodyBytes === undefined ? {} : { bodyBytes }) });
      if (outcomes.length >= limit) return { outcomes, completeTo };
    }
  }
  return { outcomes, completeTo };
}

/** These outcomes as lines of an output file, one by one: large ones together would be longer than a string can be. */
export async function* readLines(
  results: Pick<Results, 'readWhole'>,
  batchId: string,
  outcomes: readonly OutcomeSize[],
): AsyncGenerator<string, void, undefined> {
  for await (const outcome of results.readWhole(batchId, outcomes)) yield toOutputLine(outcome);
}

type Seen = OutcomeSize & Pick<BatchResultDoc, 'kind'>;

/**
 * The outcomes of a range, block by block. Ends before the last line where nothing has come out yet: looking for 250 lines that are
 * not there takes the embedded server some 50 ms. What is counted late is found by the next who ask, and at the end in any case.
 */
async function* blocks(
  results: Pick<Results, 'outcomes'>,
  range: ResultRange,
): AsyncGenerator<readonly Seen[], void, undefined> {
  const { batchId, afterLine, total, counted } = range;
  let seen = afterLine;
  for (let after = afterLine; after < total; after += LOOKED_FOR_AT_A_TIME) {
    const found = await results.outcomes(batchId, after + 1, Math.min(LOOKED_FOR_AT_A_TIME, total - after));
    if (found.length === 0 && counted !== null && seen >= counted) return;
    seen += found.length;
    yield found.sort((a, b) => a.line - b.line);
  }
}
