/** The schema of a function's arguments, as a caller gives it. */
export type Schema = Readonly<Record<string, unknown>>;

/**
 * Above this the whole schema is said in words. Measured: over 5,000 bytes the CLI drops every description in it, and of a
 * larger one `$defs` and deep levels too. A tenth is left for what it may add that was not seen.
 */
export const MAX_SCHEMA_BYTES = 4_500;

/** Keywords that are schemas, lists of them, or schemas by name. The CLI hands them on as they are (measured). */
const SCHEMAS: ReadonlySet<string> = new Set(['items', 'additionalProperties']);
const LISTS_OF_SCHEMAS: ReadonlySet<string> = new Set(['anyOf', 'oneOf', 'allOf']);
const SCHEMAS_BY_NAME: ReadonlySet<string> = new Set(['properties', '$defs', 'definitions']);

/**
 * Further keywords that arrive; the last three are dropped, and say nothing about the arguments. A title is the name of a field or of
 * a class as generators of schemas (Pydantic's, say) put it everywhere.
 */
const PLAIN_KEYWORDS: ReadonlySet<string> = new Set([
  'type',
  'required',
  'enum',
  '$ref',
  'description',
  'minItems',
  '$schema',
  '$comment',
  'title',
]);

/** A schema with none of these is not sure to arrive: a description alone is dropped (measured). */
const HEADS: readonly string[] = ['type', '$ref', 'anyOf', 'oneOf', 'allOf', 'properties', 'items'];

const TYPES: readonly unknown[] = ['string', 'number', 'integer', 'boolean', 'null', 'object', 'array'];

/** Whether a schema reaches the model with all that it says. Everything that we have not seen arrive counts as lost. */
export function arrivesWhole(schema: Schema): boolean {
  // First, so that what follows looks at a small schema only: a body may hold one of megabytes.
  if (sizeBytes(schema) > MAX_SCHEMA_BYTES) return false;
  return sizeBytes(asTheCliCounts(schema)) <= MAX_SCHEMA_BYTES && keepsItsMeaning(schema);
}

function sizeBytes(schema: unknown): number {
  return Buffer.byteLength(JSON.stringify(schema));
}

/** With the empty `properties` that the CLI gives to each object without any. */
function asTheCliCounts(schema: Schema): unknown {
  const text = JSON.stringify(withoutGuesses(schema), (_, node: unknown) =>
    isSchema(node) && isObject(node) && !('properties' in node) ? { ...node, properties: {} } : node,
  );
  return JSON.parse(text);
}

function isObject(schema: Schema): boolean {
  return schema['type'] === 'object' || 'required' in schema || 'additionalProperties' in schema;
}

function keepsItsMeaning(schema: unknown): boolean {
  if (schema === true) return true;
  if (!isSchema(schema)) return false;
  const keywords = Object.keys(schema);
  if (keywords.length > 0 && !HEADS.some((head) => head in schema)) return false;
  // Without a type an enum is made one of strings, whatever is in it.
  if ('enum' in schema && !('type' in schema)) return false;
  return keywords.every((keyword) => keywordArrives(keyword, schema[keyword]));
}

function keywordArrives(keyword: string, value: unknown): boolean {
  if (keyword === 'type') return typesOf(value).length > 0 && typesOf(value).every((type) => TYPES.includes(type));
  if (PLAIN_KEYWORDS.has(keyword)) return true;
  if (keyword === 'additionalProperties' && value === false) return true;
  if (SCHEMAS.has(keyword)) return keepsItsMeaning(value);
  if (LISTS_OF_SCHEMAS.has(keyword)) return Array.isArray(value) && value.every(keepsItsMeaning);
  return SCHEMAS_BY_NAME.has(keyword) && isSchema(value) && Object.values(value).every(keepsItsMeaning);
}

/**
 * The schema with all said that the CLI would guess, and guesses wrong (measured): a schema that is `true`, an array without
 * `items`, a `const` and an `enum` without a type all become strings; with a list as `items` it refuses the thread.
 */
export function withoutGuesses(schema: Schema): Schema {
  const stated: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries(schema)) {
    if (SCHEMAS.has(keyword)) stated[keyword] = keyword === 'items' || isSchema(value) ? subschema(value) : value;
    else if (LISTS_OF_SCHEMAS.has(keyword) && Array.isArray(value)) stated[keyword] = value.map(subschema);
    else if (SCHEMAS_BY_NAME.has(keyword) && isSchema(value)) {
      stated[keyword] = Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, subschema(inner)]));
    } else stated[keyword] = value;
  }
  const isArray = typesOf(schema['type']).includes('array');
  const values = 'const' in schema ? [schema['const']] : schema['enum'];
  return {
    ...stated,
    ...(isArray && !('items' in schema) ? { items: {} } : {}),
    ...(Array.isArray(values) && !('type' in schema) ? { type: typeOfAll(values) } : {}),
  };
}

function subschema(schema: unknown): unknown {
  return isSchema(schema) ? withoutGuesses(schema) : {};
}

function typeOfAll(values: readonly unknown[]): unknown {
  const types = [...new Set(values.map(typeOf))];
  return types.length === 1 ? types[0] : types;
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}

function typesOf(type: unknown): readonly unknown[] {
  return Array.isArray(type) ? type : [type];
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
