import { describe, expect, it } from 'vitest';
import { fitsStrictMode } from '../../../lanes/codex/strict-schema.ts';

const closed = (properties: Record<string, unknown>, more: object = {}): Record<string, unknown> => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
  ...more,
});
const inner = closed({ b: { type: 'number' } });
/** Objects within each other, so many. */
const nested = (levels: number): object => (levels === 1 ? inner : closed({ a: nested(levels - 1) }));
const strings = (count: number, length: number): string[] =>
  Array.from({ length: count }, (_, index) => String(index).padStart(length, '0'));

/** Of a property of a closed root. */
const FITS: readonly unknown[] = [
  { type: 'string' },
  { type: 'string', title: 'T', description: 'd' },
  { type: ['string', 'null'] },
  { type: 'string', enum: ['a', 'b'] },
  { type: 'string', const: 'a', title: 'Kind' },
  { type: 'string', pattern: '^(?:a|b)+$' },
  { type: 'string', format: 'date-time' },
  { type: 'integer', minimum: 0, exclusiveMaximum: 9, multipleOf: 3 },
  { type: 'boolean' },
  { type: 'array', items: inner, minItems: 1, maxItems: 2 },
  { anyOf: [inner, { type: 'null' }], description: 'one of them' },
  inner,
  closed({}),
  closed({ type: { type: 'string' }, oneOf: { type: 'string' }, $ref: { type: 'string' } }),
  { $ref: '#' },
  nested(9),
  { type: 'string', enum: strings(1_000, 10) },
];

const REFUSED: readonly unknown[] = [
  // No kind of schema at all.
  {},
  true,
  { description: 'anything' },
  { enum: ['a', 1] },
  { const: 'a' },
  { type: 'banana' },
  { type: [] },
  // Keywords that strict mode does not have.
  { oneOf: [inner, { type: 'null' }] },
  { type: 'string', oneOf: [{ const: 'a' }] },
  { allOf: [inner] },
  { ...inner, allOf: [] },
  { ...inner, not: { type: 'null' } },
  { ...inner, if: {}, else: {} },
  { ...inner, dependentRequired: {} },
  { ...inner, dependentSchemas: {} },
  { ...inner, patternProperties: {} },
  { ...inner, minProperties: 1 },
  { ...inner, discriminator: { propertyName: 'b' } },
  { type: 'string', default: 'a' },
  { type: 'string', minLength: 1 },
  { type: 'string', examples: ['a'] },
  { type: 'string', nullable: true },
  { type: 'array', items: { type: 'string' }, uniqueItems: true },
  { type: 'array', items: { type: 'string' }, prefixItems: [] },
  // Keywords that it has, in a way that it has not.
  { type: 'array' },
  { type: 'array', items: [{ type: 'string' }] },
  { type: 'array', items: false },
  { type: 'string', minimum: 1 },
  { type: 'string', format: 'uri' },
  { type: 'string', pattern: '^(?!a)b' },
  { type: 'string', pattern: String.raw`(a)\1` },
  { type: 'number', exclusiveMinimum: true },
  { type: 'string', enum: [] },
  { type: 'object', enum: [{}] },
  { type: 'string', title: 5 },
  { anyOf: [] },
  { anyOf: [inner, { type: 'object' }] },
  { type: 'string', anyOf: [{ type: 'string' }] },
  { $ref: '#/properties/a' },
  { $ref: '#/$defs/nobody' },
  { $ref: '#', description: 'itself' },
  { ...inner, $defs: {} },
  // Objects that are not closed.
  { type: 'object' },
  { type: 'object', additionalProperties: false },
  { ...inner, additionalProperties: true },
  { ...inner, additionalProperties: { type: 'string' } },
  { ...inner, required: [] },
  { ...inner, required: ['b', 'c'] },
  { ...inner, required: undefined },
  { type: 'array', items: { type: 'object', properties: {} } },
  // Too much of it.
  nested(10),
  { type: 'string', enum: strings(1_001, 10) },
  { type: 'string', enum: strings(251, 60) },
  closed(Object.fromEntries(strings(5_000, 5).map((name) => [name, { type: 'null' }]))),
  closed(Object.fromEntries(strings(2, 60_000).map((name) => [name, { type: 'null' }]))),
];

describe('fitsStrictMode', () => {
  it.each(FITS.map((schema) => [JSON.stringify(schema).slice(0, 100), schema]))('takes %s', (_, schema) => {
    expect(fitsStrictMode(closed({ a: schema }))).toBe(true);
  });

  it.each(REFUSED.map((schema) => [JSON.stringify(schema).slice(0, 100), schema]))('does not take %s', (_, schema) => {
    expect(fitsStrictMode(closed({ a: schema }))).toBe(false);
  });

  it.each([
    ['an array', { type: 'array', items: inner }],
    ['a choice', { anyOf: [inner] }],
    ['an object among other types', { ...inner, type: ['object', 'null'] }],
    ['a reference', { $ref: '#/$defs/x', $defs: { x: inner } }],
    ['a closed object and a choice', { ...inner, anyOf: [inner] }],
    ['no schema', 'object'],
  ])('does not take %s as the root', (_, schema) => {
    expect(fitsStrictMode(schema)).toBe(false);
  });

  describe('with definitions', () => {
    const list = closed({ next: { anyOf: [{ $ref: '#/$defs/list' }, { type: 'null' }] } });
    const refer = { a: { $ref: '#/$defs/list' } };

    it('takes what they recur to, under either of their names', () => {
      expect(fitsStrictMode(closed(refer, { $defs: { list } }))).toBe(true);
      const $schema = 'http://json-schema.org/draft-07/schema#';
      expect(fitsStrictMode(closed({ a: { $ref: '#/definitions/b' } }, { definitions: { b: inner }, $schema }))).toBe(
        true,
      );
    });

    it.each([
      ['is not closed', { list: { type: 'object' } }],
      ['is not closed, and not referred to', { list, other: { type: 'object' } }],
      ['is no schema', { list: 'x' }],
      ['lies too deep', { list: nested(10) }],
    ])('does not take one that %s', (_, $defs) => {
      expect(fitsStrictMode(closed(refer, { $defs }))).toBe(false);
    });

    it('does not take what is no set of definitions', () => {
      expect(fitsStrictMode(closed({}, { $defs: [] }))).toBe(false);
    });
  });

  it('does not take the union with a discriminator that Pydantic writes', () => {
    const kind = (name: string): object => closed({ kind: { const: name, title: 'Kind', type: 'string' } });
    const pet = {
      discriminator: { mapping: { cat: '#/$defs/Cat', dog: '#/$defs/Dog' }, propertyName: 'kind' },
      oneOf: [{ $ref: '#/$defs/Cat' }, { $ref: '#/$defs/Dog' }],
      title: 'Pet',
    };
    const $defs = { Cat: kind('cat'), Dog: kind('dog') };
    expect(fitsStrictMode(closed({ pet }, { $defs }))).toBe(false);
    expect(fitsStrictMode(closed({ pet: { anyOf: pet.oneOf, title: 'Pet' } }, { $defs }))).toBe(true);
  });
});
