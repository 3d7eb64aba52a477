import { ApiError } from '../../core/errors.ts';
import { readRows, rowFormat, type RowItem } from '../../core/template/read-rows.ts';
import { toText } from '../../core/template/row-values.ts';
import type { StoredTemplate } from '../../store/batches.ts';
import type { FileDoc, FileStore } from '../../store/files.ts';

/** The table that a batch was made of, to be put beside its results. */
export interface OriginalTable {
  readonly columns: readonly string[];
  /** The cells of all rows, in order. Each call reads the file anew. */
  rows(): AsyncIterable<readonly string[]>;
}

/** JSON lines may each have other names; more than a table can use are taken for data in the place of names. */
const MAX_COLUMNS = 1000;

/**
 * Opens the file of a batch with a template. The columns of JSON lines are the names in all of them, in the order in which they
 * first appear: for that the file is read once more.
 * @throws ApiError when JSON lines have too many names
 */
export async function openOriginal(
  { bytes }: Pick<FileStore, 'bytes'>,
  file: FileDoc,
  template: StoredTemplate,
): Promise<OriginalTable> {
  const format = rowFormat(file.filename, template.delimiter);
  const open = (): AsyncIterable<RowItem> => readRows(bytes.read(file.bodyId), format);
  const columns = format.kind === 'csv' ? await readHeader(open()) : await readNames(open());
  return {
    columns,
    async *rows() {
      for await (const item of open()) {
        if (item.kind !== 'row') continue;
        const { row } = item;
        const names = new Set(row.names);
        yield columns.map((column) => {
          // Asked for by a name that it has not, a row would take the name for a path.
          const found = names.has(column) ? row.value(column) : { found: false as const };
          return found.found ? toText(found.value) : '';
        });
      }
    },
  };
}

async function readHeader(items: AsyncIterable<RowItem>): Promise<readonly string[]> {
  for await (const item of items) if (item.kind === 'columns') return item.columns;
  throw new Error('A table that was accepted has no header row any more.');
}

async function readNames(items: AsyncIterable<RowItem>): Promise<readonly string[]> {
  const names = new Set<string>();
  for await (const item of items) {
    if (item.kind !== 'row') continue;
    for (const name of item.row.names) names.add(name);
    if (names.size <= MAX_COLUMNS) continue;
    throw new ApiError(
      'conflict',
      `The input's lines have more than ${MAX_COLUMNS} different names. Ask for columns=none.`,
      { param: 'columns' },
    );
  }
  return [...names];
}
