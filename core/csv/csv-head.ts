/** What must be known of a CSV file before it is parsed: its encoding and its delimiter. */

/** A header row is looked for in so much of the file. */
const MAX_HEAD_BYTES = 1024 * 1024;

/** In the order in which they are taken when a header row has as many of one as of another. */
const DELIMITERS = [',', ';', '\t'] as const;

const BOM = Buffer.from([0xef, 0xbb, 0xbf]);
const UTF_16 = [Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])];
const QUOTE = 0x22;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export type CsvHead =
  | {
      readonly ok: true;
      readonly delimiter: string;
      /** The whole file without its BOM. */
      readonly source: AsyncIterable<Uint8Array>;
    }
  | { readonly ok: false; readonly message: string };

/** Reads up to the end of the header row, which is the first that is not blank. */
export async function readCsvHead(source: AsyncIterable<Uint8Array>, delimiter: string | null): Promise<CsvHead> {
  const iterator = source[Symbol.asyncIterator]();
  let head: Buffer = Buffer.alloc(0);
  let end: number | null = null;
  let isWhole = false;
  while (end === null && !isWhole && head.length <= MAX_HEAD_BYTES) {
    const next = await iterator.next();
    if (next.done === true) isWhole = true;
    else head = Buffer.concat([head, next.value]);
    end = endOfHeader(head);
  }
  const refuse = async (message: string): Promise<CsvHead> => {
    await iterator.return?.();
    return { ok: false, message };
  };
  if (UTF_16.some((mark) => head.subarray(0, 2).equals(mark))) {
    return refuse('The file is UTF-16. Save it as UTF-8.');
  }
  if (end === null && !isWhole) return refuse(`The header row is longer than ${MAX_HEAD_BYTES} bytes.`);
  const skipped = head.subarray(0, BOM.length).equals(BOM) ? BOM.length : 0;
  return {
    ok: true,
    delimiter: delimiter ?? mostOften(head.subarray(skipped, end ?? head.length)),
    source: withRest(head.subarray(skipped), iterator),
  };
}

/** The offset behind the header row's last byte; null when its end is not there yet. */
function endOfHeader(head: Buffer): number | null {
  let inQuotes = false;
  let isBlank = true;
  for (let index = head.subarray(0, BOM.length).equals(BOM) ? BOM.length : 0; index < head.length; index++) {
    const byte = head[index];
    if (byte === QUOTE) inQuotes = !inQuotes;
    const isBreak = !inQuotes && (byte === LINE_FEED || byte === CARRIAGE_RETURN);
    if (isBreak && !isBlank) return index;
    if (!isBreak) isBlank = false;
  }
  return null;
}

function mostOften(header: Buffer): string {
  const counts = new Map<string, number>(DELIMITERS.map((delimiter) => [delimiter, 0]));
  let inQuotes = false;
  for (const byte of header) {
    if (byte === QUOTE) inQuotes = !inQuotes;
    const character = String.fromCharCode(byte);
    const count = counts.get(character);
    if (!inQuotes && count !== undefined) counts.set(character, count + 1);
  }
  const most = Math.max(...counts.values());
  return DELIMITERS.find((delimiter) => counts.get(delimiter) === most) ?? ',';
}

async function* withRest(head: Buffer, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield head;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}
