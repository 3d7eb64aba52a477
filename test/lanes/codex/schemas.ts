/** Schemas of functions as tests use them: with the real CLI, and without. */

export const objectWith = (argument: unknown): Record<string, unknown> => ({
  type: 'object',
  properties: { argument },
});

/** Schemas that reach the model with all that they say. */
export const WHOLE: readonly Record<string, unknown>[] = [
  {},
  { type: 'string' },
  { type: 'string', description: 'a word' },
  { type: ['string', 'integer', 'null'] },
  { type: 'integer', enum: [1, 2] },
  { type: ['string', 'null'], enum: ['a', null] },
  { type: 'array', items: {} },
  { type: 'array', items: { type: 'integer' }, minItems: 1 },
  { type: 'object', properties: {}, additionalProperties: false },
  { type: 'object', properties: {}, additionalProperties: { type: 'number' } },
  { type: 'object', properties: { const: { type: 'string' }, title: { type: 'string' } }, required: ['const'] },
  { anyOf: [{ type: 'string' }, { type: 'null' }], description: 'a word or nothing' },
  { oneOf: [{ type: 'string' }, { type: 'integer' }] },
  { allOf: [{ type: 'object', properties: { inner: { type: 'boolean' } } }] },
  { $ref: '#/properties/argument' },
].map(objectWith);

/** Schemas of which something is lost, or made into something else. */
export const CHANGED: readonly Record<string, unknown>[] = [
  { const: 'a' },
  { const: 5 },
  { type: 'integer', const: 5 },
  { enum: [1, 2] },
  { enum: ['a', null, 2.5] },
  { type: 'string', default: 'a' },
  { type: 'number', minimum: 1, maximum: 2 },
  { type: 'number', exclusiveMinimum: 1 },
  { type: 'number', multipleOf: 2 },
  { type: 'string', pattern: '^a' },
  { type: 'string', format: 'date-time' },
  { type: 'string', minLength: 1, maxLength: 3 },
  { type: 'array', items: { type: 'string' }, maxItems: 3 },
  { type: 'array', items: { type: 'string' }, uniqueItems: true },
  { type: 'array', prefixItems: [{ type: 'integer' }] },
  { type: 'array', items: [{ type: 'integer' }] },
  { type: 'string', nullable: true },
  { type: 'string', examples: ['a'] },
  { type: 'string', deprecated: true },
  { type: 'string', readOnly: true },
  { type: 'object', properties: {}, patternProperties: { '^a': { type: 'string' } } },
  { type: 'object', properties: {}, minProperties: 1 },
  { not: { type: 'string' } },
  { if: { type: 'string' }, else: { type: 'number' } },
  { type: 'banana' },
  { description: 'anything' },
  false,
  { type: 'object', properties: { deep: { anyOf: [{ type: 'array', items: { const: 1 } }] } } },
].map(objectWith);

/** A schema with a description of each property, of exactly so many bytes. */
export function schemaOf(bytes: number): Record<string, unknown> {
  const named = (text: string): Record<string, unknown> => ({
    type: 'object',
    properties: { first: { type: 'string', description: text }, last: { $ref: '#/$defs/last' } },
    $defs: { last: { type: 'string', description: 'the last' } },
  });
  return named('d'.repeat(bytes - Buffer.byteLength(JSON.stringify(named('')))));
}
