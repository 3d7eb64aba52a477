/** One line must fit into memory many times over; a chunk of a chat completion has some hundred bytes, an image some MiB. */
const SSE_EVENT_LIMIT_CHARACTERS = 16 * 1024 * 1024;

/** What came is no event stream: bytes that are no UTF-8, or an event past the limit. */
export class EventStreamError extends Error {
  override readonly name = 'EventStreamError';
}

/**
 * Reads server-sent events as the WHATWG describes them and yields the data of each: several `data:` lines are joined with line
 * feeds, comments and other fields are skipped, lines end with CRLF, LF or CR, a character may be split over reads. An event that
 * the end of the stream cuts off is dropped.
 * @throws EventStreamError; and whatever the source throws.
 */
export async function* readServerSentEvents(
  source: AsyncIterable<Uint8Array>,
  limitCharacters: number = SSE_EVENT_LIMIT_CHARACTERS,
): AsyncGenerator<string, void, void> {
  const data: string[] = [];
  let dataCharacters = 0;
  for await (const line of readLines(source, limitCharacters)) {
    if (line === '') {
      if (data.length > 0) yield data.join('\n');
      data.length = 0;
      dataCharacters = 0;
      continue;
    }
    if (line !== 'data' && !line.startsWith('data:')) continue;
    const value = line.slice(line.startsWith('data: ') ? 6 : 5);
    dataCharacters += value.length;
    if (dataCharacters > limitCharacters) throw new EventStreamError('An event is past the limit.');
    data.push(value);
  }
}

/** Each character is looked at once, however a long line is split over reads. */
async function* readLines(source: AsyncIterable<Uint8Array>, limitCharacters: number): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let pieces: string[] = [];
  let pieceCharacters = 0;
  let endedWithCarriageReturn = false;
  for await (const bytes of source) {
    let text = decode(decoder, bytes);
    if (text === '') continue;
    if (endedWithCarriageReturn && text.startsWith('\n')) text = text.slice(1);
    endedWithCarriageReturn = text.endsWith('\r');
    const lines = text.split(/\r\n|\n|\r/);
    const rest = lines.pop() ?? '';
    for (const line of lines) {
      yield pieces.join('') + line;
      pieces = [];
      pieceCharacters = 0;
    }
    pieces.push(rest);
    pieceCharacters += rest.length;
    if (pieceCharacters > limitCharacters) throw new EventStreamError('A line is past the limit.');
  }
}

function decode(decoder: InstanceType<typeof TextDecoder>, bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes, { stream: true });
  } catch (cause) {
    throw new EventStreamError('The stream is no UTF-8.', { cause });
  }
}
