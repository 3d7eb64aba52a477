import { describe, expect, it } from 'vitest';
import { splitLines } from '../../../core/wire/line-splitter.ts';

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function split(text: string | Buffer, size = 1000, maxLineBytes = 100) {
  const bytes = Buffer.from(text as string);
  const found = [];
  for await (const line of splitLines(pieces(bytes, size), maxLineBytes)) {
    found.push({ ...line, bytes: line.bytes?.toString('utf8') ?? null });
  }
  return found;
}

describe('splitLines', () => {
  it.each([1, 2, 3, 7, 1000])('gives lines and offsets whatever the pieces, here of %i bytes', async (size) => {
    const text = '\uFEFFäb\r\n\ncd\nlast';
    const lines = await split(text, size);
    expect(lines.map(({ number, bytes }) => [number, bytes])).toEqual([
      [1, 'äb'],
      [2, ''],
      [3, 'cd'],
      [4, 'last'],
    ]);
    const whole = Buffer.from(text);
    for (const { bytes, start, end } of lines) expect(whole.subarray(start, end).toString('utf8')).toBe(bytes);
  });

  it('has no line after the last line break', async () => {
    expect(await split('a\nb\n')).toHaveLength(2);
  });

  it('gives nothing for an empty file', async () => {
    expect(await split('')).toEqual([]);
  });

  it('skips a BOM at the start only', async () => {
    expect((await split('\uFEFFa\n\uFEFFb')).map(({ bytes }) => bytes)).toEqual(['a', '\uFEFFb']);
  });

  it.each([1, 4, 1000])('takes a line of the limit and passes over a longer one, in pieces of %i', async (size) => {
    const lines = await split(`${'x'.repeat(10)}\r\n${'y'.repeat(11)}\n${'z'.repeat(500)}\nend\n`, size, 10);
    expect(lines.map(({ bytes }) => bytes)).toEqual(['x'.repeat(10), null, null, 'end']);
    expect(lines[3]).toMatchObject({ number: 4, start: 525, end: 528 });
  });
});
