import type { Readable } from 'node:stream';

const NEWLINE = 0x0a;

/**
 * Splits a stream into lines of text. Bytes are joined before they are decoded, so a character that falls on two chunks stays whole.
 * @param maxLineBytes a longer line ends the reading with `onTooLong`, before it is all in memory
 */
export function readJsonLines(
  stream: Readable,
  maxLineBytes: number,
  on: { readonly line: (line: string) => void; readonly tooLong: () => void },
): void {
  let parts: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      parts.push(chunk.subarray(from, at));
      const line = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
      parts = [];
      size = 0;
      from = at + 1;
      if (line.length > 0) on.line(line.toString('utf8'));
    }
    if (from === chunk.length) return;
    parts.push(chunk.subarray(from));
    size += chunk.length - from;
    if (size <= maxLineBytes) return;
    parts = [];
    size = 0;
    stream.removeAllListeners('data');
    on.tooLong();
  });
}
