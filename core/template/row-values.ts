/** What a row has under the name of a column. */
export type RowValue = { readonly found: true; readonly value: unknown } | { readonly found: false };

/** One row of a batch's input, by the names of its columns. */
export interface TemplateRow {
  value(column: string): RowValue;
  /** The names that there are, for an error. */
  readonly names: readonly string[];
}

const NOT_FOUND: RowValue = { found: false };

/** Position in an array, as a step of a path. */
const INDEX = /^(?:0|[1-9]\d{0,8})$/;

/** Rows of a CSV file: the cells, as text. A dot in a column's name is a character like any other. */
export function createCsvRows(columns: readonly string[]): (cells: readonly string[]) => TemplateRow {
  const places = new Map(columns.map((name, index) => [name, index]));
  return (cells) => ({
    names: columns,
    value(column) {
      const value = cells[places.get(column) ?? -1];
      return value === undefined ? NOT_FOUND : { found: true, value };
    },
  });
}

/**
 * A row that is a JSON object. A name is taken as a field's name whole first, and then as a path: `user.name`, `tags.0`. Only
 * what was in the JSON is found, nothing that JavaScript adds to objects.
 */
export function toJsonRow(row: Readonly<Record<string, unknown>>): TemplateRow {
  return {
    names: Object.keys(row),
    value(column) {
      if (Object.hasOwn(row, column)) return { found: true, value: row[column] };
      let value: unknown = row;
      for (const step of column.split('.')) {
        if (typeof value !== 'object' || value === null) return NOT_FOUND;
        if (Array.isArray(value) ? !INDEX.test(step) : false) return NOT_FOUND;
        if (!Object.hasOwn(value, step)) return NOT_FOUND;
        value = (value as Readonly<Record<string, unknown>>)[step];
      }
      return { found: true, value };
    },
  };
}

/** A value as text: JSON's null is nothing, and whatever is no text is its JSON. */
export function toText(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === null ? '' : JSON.stringify(value);
}
