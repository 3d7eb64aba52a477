import { describe, expect, it } from 'vitest';
import { formatTable } from '../../cli/table.ts';

describe('formatTable', () => {
  it('aligns columns and leaves no space at the end of a line', () => {
    const rows = [
      ['a', 'long value', ''],
      ['longer', 'b', 'c'],
    ];
    expect(formatTable(['x', 'y', 'z'], rows, '')).toBe(
      'X       Y           Z\na       long value\nlonger  b           c',
    );
  });

  it('lets no value control the terminal or break the line', () => {
    expect(formatTable(['x'], [['\u001b[31mred\n\u202eevil']], '')).toBe('X\n?[31mred??evil');
  });

  it('says what it is told to where there are no rows', () => {
    expect(formatTable(['x'], [], 'None yet.')).toBe('None yet.');
  });
});
