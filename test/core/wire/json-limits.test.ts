import { describe, expect, it } from 'vitest';
import { exceedsBounds, MAX_JSON_DEPTH, MAX_JSON_VALUES, parseBoundedJson } from '../../../core/wire/json-limits.ts';
import { textOf } from '../../../core/wire/written-text.ts';

const nested = (depth: number): Buffer => Buffer.from('['.repeat(depth) + ']'.repeat(depth));

describe('parseBoundedJson', () => {
  it('parses what is within the bounds', () => {
    expect(parseBoundedJson(Buffer.from('{"a":["ü",1]}'))).toEqual({ ok: true, value: { a: ['ü', 1] } });
  });

  it('takes the deepest nesting that is allowed and refuses one level more', () => {
    expect(parseBoundedJson(nested(MAX_JSON_DEPTH)).ok).toBe(true);
    expect(parseBoundedJson(nested(MAX_JSON_DEPTH + 1))).toEqual({ ok: false, reason: 'too_deep' });
  });

  it('refuses a hundred thousand levels without overflowing', () => {
    expect(parseBoundedJson(nested(100_000))).toEqual({ ok: false, reason: 'too_deep' });
  });

  it('does not count brackets within strings, nor escaped quotes as their end', () => {
    expect(exceedsBounds(Buffer.from(JSON.stringify({ a: `"${'['.repeat(100)}\\` })), 1, 10)).toBeNull();
  });

  it.each([
    ['numbers', `[${'1,'.repeat(MAX_JSON_VALUES)}1]`],
    ['empty lists', `[${'[],'.repeat(MAX_JSON_VALUES / 2)}[]]`],
    ['keys', `{${'"a":1,'.repeat(MAX_JSON_VALUES)}"a":1}`],
    ['lists that are never closed', '{"a":['.repeat(20) + '0,'.repeat(MAX_JSON_VALUES)],
  ])('refuses a million %s before they are parsed', (_what, text) => {
    expect(parseBoundedJson(Buffer.from(text))).toEqual({ ok: false, reason: 'too_wide' });
  });

  it('takes what is wide and within the bound, and commas in texts', () => {
    expect(parseBoundedJson(Buffer.from(`[${'1,'.repeat(300_000)}1]`)).ok).toBe(true);
    expect(parseBoundedJson(Buffer.from(JSON.stringify([','.repeat(MAX_JSON_VALUES + 1)]))).ok).toBe(true);
  });

  it.each([
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'not_utf8'],
    ['half a multi-byte character', Buffer.from([0x22, 0xc3, 0x22]), 'not_utf8'],
    ['a cut text', Buffer.from('{"a":'), 'not_json'],
    ['two values', Buffer.from('{} {}'), 'not_json'],
    ['nothing', Buffer.from(''), 'not_json'],
  ])('refuses %s', (_what, bytes, reason) => {
    expect(parseBoundedJson(bytes)).toEqual({ ok: false, reason });
  });

  it.each([
    ['__proto__', '{"__proto__":{"admin":true}}'],
    ['constructor', '{"a":[{"b":{"constructor":1}}]}'],
    ['prototype', '{"prototype":null}'],
    ['__proto__', '{"\\u005f_proto__":1}'],
  ])('refuses the key %s in %s', (key, text) => {
    expect(parseBoundedJson(Buffer.from(text))).toEqual({ ok: false, reason: 'forbidden_key', key });
  });

  it.each([
    ['1e400', '1e400'],
    ['-1E+309 deep inside', '{"a":[{"b":-1E+309}]}'],
    ['four hundred digits', `[${'9'.repeat(400)}]`],
    ['many digits with a small exponent', `[${'9'.repeat(250)}e70]`],
    ['zeros in front of the exponent', '[1e0000400]'],
  ])('refuses a number that no double can hold: %s', (_what, text) => {
    expect(parseBoundedJson(Buffer.from(text))).toEqual({ ok: false, reason: 'number_too_large' });
  });

  it('takes the largest double, small numbers of many digits, and texts that look like too large a number', () => {
    const text = `[1.7976931348623157e308,1e-400,0.${'1'.repeat(400)},"1e400","${'9'.repeat(400)}"]`;
    expect(parseBoundedJson(Buffer.from(text)).ok).toBe(true);
  });

  it('looks once at each of ten million digits in rows that are just too short', () => {
    const text = JSON.stringify(`${'9'.repeat(199)} `.repeat(50_000));
    expect(parseBoundedJson(Buffer.from(text)).ok).toBe(true);
  });

  it('keeps the text of an object', () => {
    const text = '{ "b": 9223372036854775807, "10": 1.0 }';
    const parsed = parseBoundedJson(Buffer.from(text));
    expect(parsed.ok && textOf(parsed.value)).toBe(text);
  });

  it('allows those words as values', () => {
    expect(parseBoundedJson(Buffer.from('{"a":"constructor","b":["__proto__"]}')).ok).toBe(true);
  });
});
