import { describe, expect, it } from 'vitest';
import { readCsv, type CsvItem, type CsvOptions } from '../../../core/csv/read-csv.ts';

/** Cut into pieces of so many bytes: what is cut in the middle must come out the same. */
async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

async function read(content: string | Buffer, options: Partial<CsvOptions> = {}, size = 64_000): Promise<CsvItem[]> {
  const items: CsvItem[] = [];
  for await (const item of readCsv(inPieces(Buffer.from(content as string), size), { delimiter: null, ...options })) {
    items.push(item);
  }
  return items;
}

const header = (columns: string[], line = 1): CsvItem => ({ kind: 'header', line, columns });
const row = (line: number, ...cells: string[]): CsvItem => ({ kind: 'row', line, cells });

describe('CSV is read', () => {
  it.each<[string, string, CsvItem[]]>([
    ['plain', 'a,b\n1,2\n3,4', [header(['a', 'b']), row(2, '1', '2'), row(3, '3', '4')]],
    ['with CRLF', 'a,b\r\n1,2\r\n', [header(['a', 'b']), row(2, '1', '2')]],
    ['with CR alone', 'a,b\r1,2\r3,4', [header(['a', 'b']), row(2, '1', '2'), row(3, '3', '4')]],
    ['with mixed line ends', 'a,b\r\n1,2\n3,4\r\n', [header(['a', 'b']), row(2, '1', '2'), row(3, '3', '4')]],
    ['with a BOM', '\uFEFF"a",b\n1,2', [header(['a', 'b']), row(2, '1', '2')]],
    ['with semicolons', 'a;b, c;d\n1;2;3', [header(['a', 'b, c', 'd']), row(2, '1', '2', '3')]],
    ['with tabs', 'a\tb\n1\t2,5', [header(['a', 'b']), row(2, '1', '2,5')]],
    ['with commas, where quoted names hold semicolons', '"a;b;c",d\n1,2', [header(['a;b;c', 'd']), row(2, '1', '2')]],
    ['with one column', 'text\nhello\n""\nx', [header(['text']), row(2, 'hello'), row(3, ''), row(4, 'x')]],
    ['with quotes in quotes', 'a\n"say ""hi"""', [header(['a']), row(2, 'say "hi"')]],
    ['with empty cells', 'a,b,c\n,,\n"",1,', [header(['a', 'b', 'c']), row(2, '', '', ''), row(3, '', '1', '')]],
    ['with spaces in cells kept', 'a,b\n 1 ,"  2"', [header(['a', 'b']), row(2, ' 1 ', '  2')]],
    ['with names trimmed', ' a , b \n1,2', [header(['a', 'b']), row(2, '1', '2')]],
    [
      'with names from the prototype',
      '__proto__,constructor\n1,2',
      [header(['__proto__', 'constructor']), row(2, '1', '2')],
    ],
    ['with letters of all sizes', 'ä,名\nñ,😀', [header(['ä', '名']), row(2, 'ñ', '😀')]],
    [
      'with line breaks in cells, and says where each row begins',
      '\r\na,b\r\n"1\r\n\r\nx",2\r\n\r\n"3\ny",4\r\n5,6',
      [header(['a', 'b'], 2), row(3, '1\r\n\r\nx', '2'), row(7, '3\ny', '4'), row(9, '5', '6')],
    ],
    ['with a header row alone', 'a,b\n', [header(['a', 'b'])]],
  ])('%s, however the bytes arrive', async (_what, content, expected) => {
    for (const size of [1, 2, 3, 7, 64_000]) expect(await read(content, {}, size)).toEqual(expected);
  });

  it('with the delimiter that is given, whatever the header row looks like', async () => {
    expect(await read('a,b|c\n1,2|3', { delimiter: '|' })).toEqual([header(['a,b', 'c']), row(2, '1,2', '3')]);
  });

  it('and any table comes back from it as it was written', async () => {
    const alphabet = ['a', '"', ',', ';', '\t', '\n', '\r\n', '\r', ' ', 'é', '😀', '{{x}}', '='];
    let seed = 7;
    const next = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
    for (let round = 0; round < 200; round++) {
      const columns = 1 + next(5);
      const cell = (): string => Array.from({ length: next(6) }, () => alphabet[next(alphabet.length)]).join('');
      const table = Array.from({ length: next(8) }, () => Array.from({ length: columns }, cell));
      const names = Array.from({ length: columns }, (_, index) => `column ${index}`);
      const text = [names, ...table].map((cells) => cells.map((value) => `"${value.replaceAll('"', '""')}"`).join(','));
      const items = await read(text.join('\r\n'), {}, 1 + next(40));
      expect(items[0]).toEqual(header(names));
      expect(items.slice(1).map((item) => (item.kind === 'row' ? item.cells : item))).toEqual(table);
    }
  });
});

describe('CSV is refused', () => {
  const problem = (line: number | null, message: RegExp, isLast: boolean) => ({
    kind: 'problem',
    line,
    message: expect.stringMatching(message) as string,
    isLast,
  });

  it.each<[string, string | Buffer, ReturnType<typeof problem>]>([
    ['for a file without a row', '', problem(null, /no header row/, true)],
    ['for a file of blank lines', '\n\r\n', problem(null, /no header row/, true)],
    ['for a name that is empty', 'a,,c\n1,2,3', problem(1, /Column 2 has no name/, true)],
    ['for two names alike', 'a,b, a\n1,2,3', problem(1, /Columns 1 and 3 have the same name, "a"/, true)],
    ['for UTF-16', Buffer.from('\uFEFFa,b\n1,2', 'utf16le'), problem(1, /UTF-16/, true)],
    ['for too many columns', Array.from({ length: 1001 }, (_, i) => `c${i}`).join(), problem(1, /1001 columns/, true)],
    ['for a header row in Latin-1', Buffer.from('ä,b\n1,2', 'latin1'), problem(1, /UTF-8/, true)],
  ])('%s', async (_what, content, expected) => {
    expect(await read(content)).toEqual([expected]);
  });

  it.each<[string, string | Buffer, ReturnType<typeof problem>[]]>([
    ['for too few cells, and goes on', 'a,b\n1\n2,3', [problem(2, /1 cell; the header row names 2 columns/, false)]],
    ['for too many', 'a,b\n"x\ny",1\n1,2,3', [problem(4, /3 cells; the header row names 2 columns/, false)]],
    ['for bytes that are not UTF-8', Buffer.from('a\nb\n\xff\n', 'latin1'), [problem(3, /not valid UTF-8/, false)]],
    ['for a quote that is not closed', 'a\nb\n\n"c\nd', [problem(4, /never closed/, true)]],
    ['for text after a quote', 'a\n"x\r\ny"\n"c"d\ne', [problem(4, /after its closing quote/, true)]],
    ['for a quote in the middle', 'a\nb"c\nd', [problem(2, /does not begin with one/, true)]],
    ['for a row that is too long', `a\nb\n"${'x'.repeat(200)}`, [problem(3, /longer than 100 bytes/, true)]],
  ])('%s', async (_what, content, expected) => {
    const items = await read(content, { maxRowBytes: 100 });
    expect(items.filter((item) => item.kind === 'problem')).toEqual(expected);
  });

  it('before a row of delimiters alone is held, which would take ten times its bytes', async () => {
    let taken = 0;
    async function* endless() {
      yield Buffer.from('a,b\r\n"1\n,",2\r\n');
      for (; taken < 1_000; taken++) yield Buffer.alloc(64_000, ',');
    }
    const items: CsvItem[] = [];
    for await (const item of readCsv(endless(), { delimiter: null })) items.push(item);
    expect(items.at(-1)).toEqual({
      kind: 'problem',
      line: 4,
      message: 'This row has more than 10000 cells.',
      isLast: true,
    });
    expect(taken).toBeLessThan(10);
    const most = `a,b\n"${','.repeat(20_000)}",2\n${','.repeat(9_999)}\n`;
    expect((await read(most)).at(-1)).toMatchObject({
      message: 'This row has 10000 cells; the header row names 2 columns.',
    });
  });

  it('when its source breaks, with what broke it', async () => {
    async function* broken(): AsyncGenerator<Uint8Array, void, undefined> {
      yield Buffer.from('a,b\n1,2\n');
      throw new Error('the disk is gone');
    }
    const reading = async () => {
      for await (const item of readCsv(broken(), { delimiter: null })) void item;
    };
    await expect(reading()).rejects.toThrow('the disk is gone');
  });

  it('and a reader that stops early ends the source', async () => {
    let ended = false;
    async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
      try {
        for (;;) yield Buffer.from('a,b\n');
      } finally {
        ended = true;
      }
    }
    for await (const item of readCsv(source(), { delimiter: null })) if (item.kind === 'row') break;
    await expect.poll(() => ended).toBe(true);
  });
});
