import { ApiError } from '../../core/errors.ts';
import type { Clock } from '../../core/clock.ts';
import { toCsvRow } from '../../core/csv/write-csv.ts';
import { RESULT_COLUMNS, toResultCells } from '../../core/wire/result-cells.ts';
import type { BatchResultDoc, BatchResultStore } from '../../store/batch-results.ts';
import type { BatchDoc } from '../../store/batches.ts';
import type { FileStore } from '../../store/files.ts';
import type { LaneStore } from '../../store/lanes.ts';
import { openOriginal, type OriginalTable } from './original-columns.ts';

/** Rows of the input that are held at a time. */
const ROWS_AT_A_TIME = 50;

export interface ResultsCsvDeps {
  readonly files: Pick<FileStore, 'bytes' | 'findOwned'>;
  readonly results: Pick<BatchResultStore, 'outcomes' | 'readWhole'>;
  readonly lanes: Pick<LaneStore, 'list'>;
  readonly clock: Clock;
}

export interface ResultsCsvOptions {
  /** `none` leaves out the columns of the input. */
  readonly columns: 'all' | 'none';
  /** Only lines that ended so; null for all that have ended. */
  readonly kind: BatchResultDoc['kind'] | null;
  /** Cells as they are, also those that a spreadsheet would take for a formula. */
  readonly raw: boolean;
}

/**
 * The results of a batch so far as CSV, in the order of the input: the columns of the input, if it was a table, and then what came
 * out. Holds one page of rows, whatever the size of the batch and of its answers.
 * @throws ApiError before the first row when the input is not there any more
 */
export async function openResultsCsv(
  deps: ResultsCsvDeps,
  batch: BatchDoc,
  options: ResultsCsvOptions,
): Promise<AsyncGenerator<string, void, undefined>> {
  const { total } = batch.counts;
  const original = options.columns === 'none' || total === 0 ? null : await findOriginal(deps, batch);
  const lanes = new Map((await deps.lanes.list()).map(({ _id, alias }) => [_id, alias]));
  return write(deps.results, batch, original, lanes, options);
}

async function findOriginal({ files, clock }: ResultsCsvDeps, batch: BatchDoc): Promise<OriginalTable | null> {
  const template = batch.template ?? null;
  if (template === null) return null;
  const file = await files.findOwned(batch.ownerId, batch.inputFileId, clock.now());
  if (file !== null) return openOriginal(files, file, template);
  throw new ApiError(
    'conflict',
    `The input file ${batch.inputFileId} was deleted or has expired, and its columns with it. Ask for columns=none.`,
    { param: 'columns' },
  );
}

async function* write(
  results: ResultsCsvDeps['results'],
  batch: BatchDoc,
  original: OriginalTable | null,
  lanes: ReadonlyMap<string, string>,
  { kind, raw }: ResultsCsvOptions,
): AsyncGenerator<string, void, undefined> {
  const columns = original?.columns ?? [];
  yield toCsvRow([...columns, ...resultNames(columns)], raw);
  for await (const { first, page } of pages(original?.rows() ?? noCells(batch.counts.total))) {
    const ended = await results.outcomes(batch._id, first, page.length);
    const wanted = ended.filter((outcome) => kind === null || outcome.kind === kind);
    for await (const outcome of results.readWhole(batch._id, wanted)) {
      const cells = page[outcome.line - first] ?? [];
      // The lane may have been removed since; its id still tells it from others.
      const lane = outcome.laneId === null ? '' : (lanes.get(outcome.laneId) ?? outcome.laneId);
      yield toCsvRow([...cells, ...toResultCells(outcome, lane)], raw);
    }
  }
}

/** Names of our columns that are none of the input's. */
function resultNames(taken: readonly string[]): readonly string[] {
  const used = new Set(taken);
  return RESULT_COLUMNS.map((name) => {
    let free: string = name;
    while (used.has(free)) free = `result_${free}`;
    return free;
  });
}

async function* noCells(count: number): AsyncGenerator<readonly string[], void, undefined> {
  for (let line = 0; line < count; line++) yield [];
}

/** Rows by the page. `first` is the line of the page's first row; lines count from 1. */
async function* pages<Row>(
  rows: AsyncIterable<Row>,
): AsyncGenerator<{ readonly first: number; readonly page: readonly Row[] }, void, undefined> {
  let first = 1;
  let page: Row[] = [];
  for await (const row of rows) {
    page.push(row);
    if (page.length < ROWS_AT_A_TIME) continue;
    yield { first, page };
    first += page.length;
    page = [];
  }
  if (page.length > 0) yield { first, page };
}
