/** Splits a stream of bytes into lines without holding more than one of them. */

/** One line with its place in the file. Lines end at LF; a CR before it belongs to the ending. */
export interface ByteLine {
  /** Counts from 1. */
  readonly number: number;
  /** Without its ending; null when it is longer than allowed. */
  readonly bytes: Buffer | null;
  /** Offset of the first byte, past a BOM, and of the byte after the last one. */
  readonly start: number;
  readonly end: number;
}

/** A line above this is refused: it would be held whole, several at a time, by every part that serves it. */
export const MAX_LINE_BYTES = 16 * 1024 * 1024;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/** True for a line of nothing but blanks. */
export function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === SPACE || byte === TAB || byte === CARRIAGE_RETURN);
}

/**
 * Yields the lines of a source, in order. A BOM at the very start is skipped. A file that ends with LF has no line after it.
 * @param maxLineBytes a longer line is yielded with `bytes: null`, and was not kept while it passed.
 */
export async function* splitLines(
  source: AsyncIterable<Uint8Array>,
  maxLineBytes: number = MAX_LINE_BYTES,
): AsyncGenerator<ByteLine, void, undefined> {
  let number = 0;
  let lineStart = 0;
  let offset = 0;
  let held: Buffer[] = [];
  let heldBytes = 0;

  const take = (piece: Buffer): void => {
    heldBytes += piece.length;
    // One byte more than allowed, for the CR that is cut off below.
    if (heldBytes <= maxLineBytes + 1 + (lineStart === 0 ? BOM.length : 0)) held.push(piece);
    else held = [];
  };
  const finish = (): ByteLine => {
    const length = heldBytes;
    let bytes = held.length === 1 && held[0] !== undefined ? held[0] : Buffer.concat(held);
    const kept = bytes.length === length;
    let start = lineStart;
    if (kept && start === 0 && bytes.subarray(0, BOM.length).equals(BOM)) {
      bytes = bytes.subarray(BOM.length);
      start += BOM.length;
    }
    if (kept && bytes.at(-1) === CARRIAGE_RETURN) bytes = bytes.subarray(0, -1);
    const fits = kept && bytes.length <= maxLineBytes;
    held = [];
    heldBytes = 0;
    return {
      number: ++number,
      bytes: fits ? bytes : null,
      start,
      end: kept ? start + bytes.length : lineStart + length,
    };
  };

  for await (const chunk of source) {
    const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let from = 0;
    for (;;) {
      const at = buffer.indexOf(LINE_FEED, from);
      if (at === -1) break;
      take(buffer.subarray(from, at));
      yield finish();
      from = at + 1;
      lineStart = offset + from;
    }
    if (from < buffer.length) take(buffer.subarray(from));
    offset += buffer.length;
  }
  if (heldBytes > 0) yield finish();
}
