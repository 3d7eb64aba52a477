/** A cell that must be in quotes, by RFC 4180. */
const NEEDS_QUOTES = /[",\r\n]/;

/** What a spreadsheet may take for a formula, as OWASP lists it; the signs in full width too, which some take for the plain ones. */
const LOOKS_LIKE_FORMULA = /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/;

/** A number is none, whatever its sign. */
const NUMBER = /^[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/**
 * One row of CSV, with its CRLF.
 * @param raw keeps cells as they are. Else an apostrophe is put in front of those that a spreadsheet might run as a formula.
 */
export function toCsvRow(cells: readonly string[], raw: boolean): string {
  const row = cells.map((cell) => quote(raw ? cell : disarm(cell))).join(',');
  // A row of one empty cell would be a blank line, which readers pass over.
  return row === '' ? '""\r\n' : `${row}\r\n`;
}

function disarm(cell: string): string {
  return LOOKS_LIKE_FORMULA.test(cell) && !NUMBER.test(cell) ? `'${cell}` : cell;
}

function quote(cell: string): string {
  return NEEDS_QUOTES.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
