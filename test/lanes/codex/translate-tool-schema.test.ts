import { describe, expect, it } from 'vitest';
import { arrivesWhole, MAX_SCHEMA_BYTES, withoutGuesses } from '../../../lanes/codex/translate-tool-schema.ts';
import { CHANGED, objectWith, schemaOf, WHOLE } from './schemas.ts';

describe('arrivesWhole', () => {
  it.each(WHOLE)('is true for %j', (schema) => {
    expect(arrivesWhole(schema)).toBe(true);
  });

  it.each(CHANGED)('is false for %j', (schema) => {
    expect(arrivesWhole(schema)).toBe(false);
  });

  it('ends with a size in bytes', () => {
    expect(arrivesWhole(schemaOf(MAX_SCHEMA_BYTES))).toBe(true);
    expect(arrivesWhole(schemaOf(MAX_SCHEMA_BYTES + 1))).toBe(false);
    const umlauts = 'ü'.repeat(MAX_SCHEMA_BYTES / 2);
    expect(arrivesWhole(objectWith({ type: 'string', description: umlauts }))).toBe(false);
  });

  it('counts what the CLI adds to objects', () => {
    const properties = Object.fromEntries(Array.from({ length: 160 }, (_, n) => [`p${n}`, { type: 'object' }]));
    const schema = { type: 'object', properties };
    expect(JSON.stringify(schema).length).toBeLessThan(MAX_SCHEMA_BYTES);
    expect(arrivesWhole(schema)).toBe(false);
  });

  it('takes what says nothing about the arguments as no loss', () => {
    expect(arrivesWhole({ $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object' })).toBe(true);
    const properties = { a: { type: 'string', title: 'A' } };
    expect(arrivesWhole({ type: 'object', title: 'Arguments', properties })).toBe(true);
  });
});

describe('withoutGuesses', () => {
  it.each([
    [{ const: 5 }, { const: 5, type: 'integer' }],
    [{ const: null }, { const: null, type: 'null' }],
    [{ enum: [1, 2.5, 'a', [], true, null] }, { type: ['integer', 'number', 'string', 'array', 'boolean', 'null'] }],
    [{ enum: [{ a: 1 }] }, { type: 'object' }],
    [
      { type: 'number', enum: [1] },
      { type: 'number', enum: [1] },
    ],
    [{ type: ['array', 'null'] }, { type: ['array', 'null'], items: {} }],
    [{ type: 'array', items: [{ type: 'string' }] }, { items: {} }],
    [{ type: 'array', items: true }, { items: {} }],
    [{ anyOf: [{ const: 'a' }, true] }, { anyOf: [{ const: 'a', type: 'string' }, {}] }],
    [{ $defs: { x: { const: 1 } } }, { $defs: { x: { const: 1, type: 'integer' } } }],
    [{ additionalProperties: { const: 1 } }, { additionalProperties: { const: 1, type: 'integer' } }],
    [{ additionalProperties: false }, { additionalProperties: false }],
  ])('makes of %j what has %j', (schema, stated) => {
    expect(withoutGuesses(schema)).toEqual({ ...schema, ...stated });
  });

  it.each(WHOLE)('changes nothing in %j', (schema) => {
    expect(withoutGuesses(schema)).toEqual(schema);
  });
});
