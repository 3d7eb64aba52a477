/**
 * The schemas that OpenAI's strict mode takes, as its documentation of structured outputs has them ("Supported schemas"). A
 * schema outside of it is refused as a whole, so what is not listed here, or is listed there without its details, does not fit.
 */

type Node = Readonly<Record<string, unknown>>;

/** What is counted over the whole schema, and the way to what `$ref` names. */
interface Walk {
  readonly definitions: ReadonlyMap<string, unknown>;
  /** The heights of definitions that were looked at; 0 while one is looked at, so that a recursion ends. */
  readonly heights: Map<string, number>;
  properties: number;
  enumValues: number;
  /** Of names of properties and definitions, and of values. */
  characters: number;
}

const MAX_PROPERTIES = 5_000;
const MAX_OBJECT_LEVELS = 10;
const MAX_ENUM_VALUES = 1_000;
const MAX_CHARACTERS = 120_000;
/** An enum with more values than this has a limit of its own. */
const LONG_ENUM_VALUES = 250;
const MAX_LONG_ENUM_CHARACTERS = 15_000;

/** Above every limit, also when something is added to it. */
const UNFIT = Number.POSITIVE_INFINITY;

const NUMBER_KEYWORDS = ['multipleOf', 'maximum', 'exclusiveMaximum', 'minimum', 'exclusiveMinimum'];

/** The keywords of each type, beside those of all. Lengths of strings, `uniqueItems` and bounds of objects are in none. */
const TYPES: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['object', ['properties', 'required', 'additionalProperties']],
  ['array', ['items', 'minItems', 'maxItems']],
  ['string', ['pattern', 'format']],
  ['number', NUMBER_KEYWORDS],
  ['integer', NUMBER_KEYWORDS],
  ['boolean', []],
  ['null', []],
]);

const ANNOTATIONS: readonly string[] = ['title', 'description'];

/** Zod says of its schemas which draft they are of, and has them taken. Its older version calls definitions by their older name. */
const ROOT_KEYWORDS: readonly string[] = ['$schema', '$defs', 'definitions'];

const FORMATS: readonly unknown[] = [
  'date-time',
  'time',
  'date',
  'duration',
  'email',
  'hostname',
  'ipv4',
  'ipv6',
  'uuid',
];

/** What a grammar of tokens can't do: to look around, and to look back at a group. Pydantic's pattern of a decimal does. */
const LOOKS_AROUND = /\(\?<?[=!]|\\[1-9]|\\k</;

/** Whether strict mode takes a schema. */
export function fitsStrictMode(schema: unknown): boolean {
  if (!isNode(schema) || schema['type'] !== 'object') return false;
  const definitions = definitionsOf(schema);
  if (definitions === undefined) return false;
  const walk: Walk = { definitions, heights: new Map(), properties: 0, enumValues: 0, characters: 0 };
  const root = Object.fromEntries(Object.entries(schema).filter(([name]) => !ROOT_KEYWORDS.includes(name)));
  // Also those that nothing refers to.
  const heights = [heightOf(root, walk), ...[...definitions.keys()].map((pointer) => heightOfRef(pointer, walk))];
  return (
    heights.every((height) => height <= MAX_OBJECT_LEVELS) &&
    walk.properties <= MAX_PROPERTIES &&
    walk.enumValues <= MAX_ENUM_VALUES &&
    walk.characters <= MAX_CHARACTERS
  );
}

/** By the pointer that a `$ref` has for them; undefined where they are none. */
function definitionsOf(root: Node): ReadonlyMap<string, unknown> | undefined {
  const found = new Map<string, unknown>();
  for (const keyword of ['$defs', 'definitions']) {
    const definitions = root[keyword] ?? {};
    if (!isNode(definitions)) return undefined;
    for (const [name, definition] of Object.entries(definitions)) found.set(`#/${keyword}/${name}`, definition);
  }
  return found;
}

/** How many objects lie within each other in a schema; `UNFIT` where strict mode takes no such schema. */
function heightOf(schema: unknown, walk: Walk): number {
  if (!isNode(schema)) return UNFIT;
  const { $ref: pointer, anyOf, type } = schema;
  const keywords = Object.keys(schema).filter((name) => !ANNOTATIONS.includes(name));
  // Not even a description may stand beside it.
  if (pointer !== undefined) return Object.keys(schema).length === 1 ? heightOfRef(pointer, walk) : UNFIT;
  if (ANNOTATIONS.some((name) => typeof (schema[name] ?? '') !== 'string')) return UNFIT;
  if (anyOf !== undefined) {
    if (!Array.isArray(anyOf) || anyOf.length === 0 || keywords.length > 1) return UNFIT;
    return highest(anyOf.map((branch) => heightOf(branch, walk)));
  }
  const types: readonly unknown[] = Array.isArray(type) ? type : [type];
  const allowed = ['type', 'enum', 'const', ...types.flatMap((name) => TYPES.get(name) ?? [])];
  const isKnown = types.length > 0 && types.every((name) => TYPES.has(name));
  if (!isKnown || !keywords.every((name) => allowed.includes(name))) return UNFIT;
  if (!boundsFit(schema) || !valuesFit(schema, walk)) return UNFIT;
  return highest([
    types.includes('object') ? 1 + heightOfProperties(schema, walk) : 0,
    types.includes('array') ? heightOf(schema['items'], walk) : 0,
  ]);
}

function heightOfRef(pointer: unknown, walk: Walk): number {
  if (pointer === '#') return 0;
  if (typeof pointer !== 'string' || !walk.definitions.has(pointer)) return UNFIT;
  const known = walk.heights.get(pointer);
  if (known !== undefined) return known;
  walk.heights.set(pointer, 0);
  walk.characters += pointer.length;
  const height = heightOf(walk.definitions.get(pointer), walk);
  walk.heights.set(pointer, height);
  return height;
}

/** Every property is required, and there are no others. */
function heightOfProperties({ properties, required, additionalProperties }: Node, walk: Walk): number {
  if (additionalProperties !== false || !isNode(properties) || !Array.isArray(required)) return UNFIT;
  const names = Object.keys(properties);
  const isRequired = new Set<unknown>(required);
  if (isRequired.size !== names.length || !names.every((name) => isRequired.has(name))) return UNFIT;
  walk.properties += names.length;
  walk.characters += lengthOf(names);
  return highest(Object.values(properties).map((property) => heightOf(property, walk)));
}

function boundsFit(schema: Node): boolean {
  const { format, pattern } = schema;
  if (format !== undefined && !FORMATS.includes(format)) return false;
  if (pattern !== undefined && (typeof pattern !== 'string' || LOOKS_AROUND.test(pattern))) return false;
  // The oldest drafts have true and false as `exclusiveMinimum`.
  return [...NUMBER_KEYWORDS, 'minItems', 'maxItems'].every((name) => typeof (schema[name] ?? 0) === 'number');
}

function valuesFit({ enum: listed, const: only }: Node, walk: Walk): boolean {
  if (listed !== undefined && (!Array.isArray(listed) || listed.length === 0)) return false;
  const values: readonly unknown[] = [...((listed ?? []) as readonly unknown[]), ...(only === undefined ? [] : [only])];
  if (values.some((value) => typeof value === 'object' && value !== null)) return false;
  const characters = lengthOf(values);
  walk.enumValues += values.length;
  walk.characters += characters;
  return values.length <= LONG_ENUM_VALUES || characters <= MAX_LONG_ENUM_CHARACTERS;
}

function lengthOf(values: readonly unknown[]): number {
  return values.reduce<number>((sum, value) => sum + String(value).length, 0);
}

function highest(heights: readonly number[]): number {
  return heights.reduce((most, height) => Math.max(most, height), 0);
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
