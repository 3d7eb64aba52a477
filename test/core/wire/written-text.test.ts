import { describe, expect, it } from 'vitest';
import { keepText, membersOf, textOf, toText, withoutMember } from '../../../core/wire/written-text.ts';

const WRITTEN = '{"b": 12345678901234567890, "10": 1}';
const written = () => keepText(JSON.parse(WRITTEN) as Record<string, unknown>, WRITTEN);

describe('the text of a body', () => {
  it('is what was written, and else what it comes to', () => {
    expect(toText(written())).toBe(WRITTEN);
    expect(toText({ b: 1 })).toBe('{"b":1}');
    expect(textOf(keepText({}, undefined))).toBeUndefined();
  });

  it('is of that object alone: a copy that may be changed has none', () => {
    expect(textOf({ ...written() })).toBeUndefined();
    expect(textOf(structuredClone(written()))).toBeUndefined();
  });

  it('is seen by nobody who lists or writes the object', () => {
    const body = written();
    expect(Reflect.ownKeys({ ...body })).toEqual(['10', 'b']);
    expect(JSON.stringify(body)).toBe('{"10":1,"b":12345678901234567000}');
    expect(body).toEqual(JSON.parse(WRITTEN));
  });
});

describe('membersOf', () => {
  it('gives each as it was written, in order', () => {
    expect([...membersOf(written())]).toEqual([
      ['b', '12345678901234567890'],
      ['10', '1'],
    ]);
  });

  // What was checked is what must be sent.
  it('takes the one that counted of two with the same name', () => {
    const text = '{"model":"allowed","model":"other","n":1}';
    expect([...membersOf(keepText(JSON.parse(text) as object, text))]).toEqual([
      ['model', '"other"'],
      ['n', '1'],
    ]);
  });

  it('gives those of an object without a text', () => {
    expect([...membersOf({ a: [1], gone: undefined })]).toEqual([['a', '[1]']]);
  });
});

describe('withoutMember', () => {
  it('takes it out of the object and of its text', () => {
    const body = written();
    const left = withoutMember(body, '10');
    expect(left).toEqual({ b: 12345678901234567000 });
    expect(textOf(left)).toBe('{"b":12345678901234567890}');
    expect(textOf(body)).toBe(WRITTEN);
  });

  it('leaves what does not have it as it is', () => {
    expect(textOf(withoutMember(written(), 'stream'))).toBe(WRITTEN);
  });
});
