import { describe, expect, it } from 'vitest';
import { readCsv } from '../../../core/csv/read-csv.ts';
import { toCsvRow } from '../../../core/csv/write-csv.ts';

describe('a row of CSV', () => {
  it.each<[string[], string]>([
    [['a', '', 'c d'], 'a,,c d'],
    [['a,b', 'say "x"', 'x\ny', 'x\r'], '"a,b","say ""x""","x\ny","x\r"'],
    [[''], '""'],
    [['', ''], ','],
  ])('%j', (cells, row) => {
    expect(toCsvRow(cells, false)).toBe(`${row}\r\n`);
  });

  it.each([
    ['=1+1', "'=1+1"],
    ["=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"],
    ['+x', "'+x"],
    ['-x', "'-x"],
    ['-1+2', "'-1+2"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['＝1+1', "'＝1+1"],
    ['＠SUM(A1)', "'＠SUM(A1)"],
    ['\tx', "'\tx"],
    ['\rx', "'\rx"],
    ['-5', '-5'],
    ['+1.5', '+1.5'],
    ['-1.5e-7', '-1.5e-7'],
    ['a=1', 'a=1'],
    ["'=1", "'=1"],
  ])('disarms %j, unless it is asked for raw', async (cell, disarmed) => {
    const cellsOf = async (raw: boolean): Promise<unknown> => {
      async function* source() {
        yield Buffer.from(`h,x\n${toCsvRow([cell, 'x'], raw)}`);
      }
      for await (const item of readCsv(source(), { delimiter: ',' })) if (item.kind === 'row') return item.cells[0];
    };
    expect(await cellsOf(false)).toBe(disarmed);
    expect(await cellsOf(true)).toBe(cell);
  });
});
