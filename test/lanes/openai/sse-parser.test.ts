import { describe, expect, it } from 'vitest';
import { EventStreamError, readServerSentEvents } from '../../../lanes/openai/sse-parser.ts';

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

async function read(text: string | Buffer, size = 1_000_000, limit?: number): Promise<string[]> {
  const events: string[] = [];
  for await (const data of readServerSentEvents(pieces(Buffer.from(text), size), limit)) events.push(data);
  return events;
}

const STREAM =
  ': ping\r\n\r\ndata: {"text":"žluť 😀"}\r\n\r\nevent: note\rid: 1\rdata:a\rdata: b\r\rdata\n\ndata: [DONE]\n\n';

describe('readServerSentEvents', () => {
  it('yields the data of each event, whatever its line ends, comments and other fields', async () => {
    expect(await read(STREAM)).toEqual(['{"text":"žluť 😀"}', 'a\nb', '', '[DONE]']);
  });

  it.each([1, 2, 3, 5, 7, 11, 13])('finds the same events when the bytes come %i at a time', async (size) => {
    expect(await read(STREAM, size)).toEqual(await read(STREAM));
  });

  it('drops an event that the end of the stream cuts off', async () => {
    expect(await read('data: one\n\ndata: two\n')).toEqual(['one']);
    expect(await read('data: one\n\ndata: two')).toEqual(['one']);
  });

  it('takes off one space only, and skips a byte order mark', async () => {
    expect(await read('\uFEFFdata:  two spaces\n\n')).toEqual([' two spaces']);
  });

  it('does not mistake a longer field name for data', async () => {
    expect(await read('database: x\n\n')).toEqual([]);
  });

  it.each([
    ['a line', `data: ${'x'.repeat(100)}`],
    ['an event of many lines', 'data: xxxxxxxxxx\n'.repeat(10)],
  ])('refuses %s past the limit', async (_, text) => {
    await expect(read(text, 7, 50)).rejects.toThrow(EventStreamError);
  });

  it('refuses bytes that are no UTF-8', async () => {
    await expect(read(Buffer.from([0x64, 0xff, 0xfe, 0x0a]))).rejects.toThrow(EventStreamError);
  });
});
