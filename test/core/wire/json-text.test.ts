import { describe, expect, it } from 'vitest';
import { readElements, readMembers, writeMembers } from '../../../core/wire/json-text.ts';

const membersOf = (text: string) => [...(readMembers(text) ?? [])];

describe('readMembers', () => {
  it('gives each value as it is written, in order', () => {
    const text = '{ "b":1e400 , "10" : 9223372036854775807,"a":{"x": [ 1.0, "}" ]},\n"n":null\t,"t":true}';
    expect(membersOf(text)).toEqual([
      ['b', '1e400'],
      ['10', '9223372036854775807'],
      ['a', '{"x": [ 1.0, "}" ]}'],
      ['n', 'null'],
      ['t', 'true'],
    ]);
  });

  it.each([
    ['quotes and brackets inside of texts', { a: '"},{"', b: ['\\"]', '\\'], c: { '}"': '{' } }],
    ['backslashes at the end of a text', { a: '\\', b: '\\\\', c: '\\\\"\\' }],
    ['names with escapes', { 'a"b\\': 1, 'ü😀': 2, '\n': 3 }],
    ['nothing', {}],
    ['empty texts and lists', { '': '', a: [], b: {} }],
  ])('finds its way through %s', (_, value) => {
    for (const text of [JSON.stringify(value), JSON.stringify(value, null, 2)]) {
      const found = membersOf(text).map(([name, written]) => [name, JSON.parse(written) as unknown]);
      expect(found).toEqual(Object.entries(value));
    }
  });

  it('knows a name that is written in escapes', () => {
    expect(membersOf(String.raw`{"mod\u0065l":"x"}`)).toEqual([['model', '"x"']]);
  });

  it.each([
    ['a name twice', '{"a":1,"b":2,"a":3}'],
    ['a name twice, once in escapes', String.raw`{"a":1,"\u0061":3}`],
    ['a list', '[{"a":1}]'],
    ['a text', '"{}"'],
    ['an object that is cut off', '{"a":1,'],
    ['nothing', ''],
  ])('gives nothing for %s', (_, text) => {
    expect(readMembers(text)).toBeNull();
  });

  it('takes a million escaped quotes in no more than two looks at each', () => {
    expect(membersOf(JSON.stringify({ a: '"'.repeat(1_000_000), b: '\\'.repeat(1_000_000) }))).toHaveLength(2);
  });
});

describe('writeMembers', () => {
  it('writes what was read, and nothing of what was taken out', () => {
    const members = readMembers('{"id": "x", "usage": {"a": 1}, "big": 12345678901234567890}');
    members?.delete('usage');
    expect(writeMembers(members ?? new Map())).toBe('{"id":"x","big":12345678901234567890}');
  });
});

describe('readElements', () => {
  it.each([
    ['[ ]', []],
    ['[1.0 , "a,]", {"b": [2]},\n[ ],null]', ['1.0', '"a,]"', '{"b": [2]}', '[ ]', 'null']],
  ])('gives those of %j as they are written', (text, elements) => {
    expect(readElements(text)).toEqual(elements);
  });

  it.each(['{}', '"[]"', '[1', '[1,', ''])('gives nothing for %j', (text) => {
    expect(readElements(text)).toBeNull();
  });
});
