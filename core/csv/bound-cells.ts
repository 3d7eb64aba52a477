/** The parser bounds the bytes inside of cells: a row of nothing but delimiters is none to it, and takes ten bytes a cell. */
const MAX_CELLS = 10_000;

const QUOTE = 0x22;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** A row has more cells than any table. */
export class TooManyCells extends Error {
  /** On which the row begins; counts from 1. */
  readonly line: number;
  constructor(line: number) {
    super(`This row has more than ${MAX_CELLS} cells.`);
    this.line = line;
  }
}

/**
 * Passes a CSV file on, and stops before a row with too many cells is held by anybody.
 * @param delimiter one ASCII character
 * @throws TooManyCells, and what the source throws
 */
export async function* boundCells(
  source: AsyncIterable<Uint8Array>,
  delimiter: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const between = delimiter.charCodeAt(0);
  let line = 1;
  let rowLine = 1;
  let delimiters = 0;
  let inQuotes = false;
  let before = 0;
  for await (const piece of source) {
    for (const byte of piece) {
      if (byte === QUOTE) inQuotes = !inQuotes;
      else if (byte === LINE_FEED || byte === CARRIAGE_RETURN) {
        // The second half of CRLF ends no line of its own.
        if (byte === CARRIAGE_RETURN || before !== CARRIAGE_RETURN) line += 1;
        if (!inQuotes) {
          delimiters = 0;
          rowLine = line;
        }
      } else if (byte === between && !inQuotes && ++delimiters >= MAX_CELLS) throw new TooManyCells(rowLine);
      before = byte;
    }
    yield piece;
  }
}
