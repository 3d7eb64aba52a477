import { isUtf8 } from 'node:buffer';
import { isCsvName } from '../core/wire/file-name.ts';
import { parseBoundedJson } from '../core/wire/json-limits.ts';
import { MAX_LINE_BYTES, splitLines } from '../core/wire/line-splitter.ts';

const LINE_FEED = 0x0a;
const UNPARSEABLE = 'The first line of the file is not parseable as valid JSON.';
const NO_TEXT = 'The first line of the file is not text in UTF-8.';

/** Looks at the first line of a stream while it passes through. */
export interface FirstLineCheck {
  watch(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  /** What is wrong with the first line, or null. Call it after the stream has passed. */
  problem(): Promise<string | null>;
}

/**
 * Keeps the first line only, and no more of it than a line may have.
 * @param filename by which a table is told from JSON lines
 */
export function createFirstLineCheck(filename: string, maxLineBytes: number = MAX_LINE_BYTES): FirstLineCheck {
  const check = isCsvName(filename) ? checkText : checkJson;
  const kept: Uint8Array[] = [];
  let keptBytes = 0;
  let complete = false;

  const keep = (piece: Uint8Array): void => {
    const end = piece.indexOf(LINE_FEED);
    const part = end === -1 ? piece : piece.subarray(0, end);
    kept.push(part);
    keptBytes += part.length;
    // Past the limit the line is refused whatever it holds; what is kept by then is enough to see that.
    complete = end !== -1 || keptBytes > maxLineBytes + 4;
  };
  return {
    async *watch(source) {
      for await (const piece of source) {
        if (!complete) keep(piece);
        yield piece;
      }
    },
    async problem() {
      for await (const { bytes } of splitLines(pass(kept), maxLineBytes)) {
        if (bytes === null) return `The first line of the file is longer than ${maxLineBytes} bytes.`;
        return check(bytes);
      }
      return check(Buffer.alloc(0));
    },
  };
}

function checkJson(bytes: Buffer): string | null {
  return parseBoundedJson(bytes).ok ? null : UNPARSEABLE;
}

/** Blank lines above the header row are fine; what is wrong with the header row itself is known when its delimiter is. */
function checkText(bytes: Buffer): string | null {
  return isUtf8(bytes) && !bytes.includes(0) ? null : NO_TEXT;
}

async function* pass(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  yield* pieces;
}
