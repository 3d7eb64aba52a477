import { describe, expect, it } from 'vitest';
import { pagesBySize } from '../../store/pages-by-size.ts';

const MIB = 1024 * 1024;
const sized = (...sizes: readonly number[]) => sizes.map((bodyBytes, index) => ({ line: index + 1, bodyBytes }));

describe('a page of outcomes', () => {
  it('has fifty lines at most, however small they are', () => {
    const pages = pagesBySize(sized(...Array<number>(120).fill(10)));
    expect(pages.map(({ length }) => length)).toEqual([50, 50, 20]);
    expect(pages.flat()).toEqual(Array.from({ length: 120 }, (_, index) => index + 1));
  });

  it('has four MiB at most, and a larger one alone', () => {
    expect(pagesBySize(sized(2 * MIB, 2 * MIB, 1, 15 * MIB, 1, 1))).toEqual([[1, 2], [3], [4], [5, 6]]);
  });

  it('has one line whose size nobody has noted', () => {
    expect(
      pagesBySize([{ line: 1 }, { line: 2 }, ...sized(1, 1).map((one) => ({ ...one, line: one.line + 2 }))]),
    ).toEqual([[1], [2], [3, 4]]);
  });

  it('is in the order of the lines', () => {
    expect(
      pagesBySize([
        { line: 9, bodyBytes: 1 },
        { line: 2, bodyBytes: 1 },
      ]),
    ).toEqual([[2, 9]]);
    expect(pagesBySize([])).toEqual([]);
  });
});
