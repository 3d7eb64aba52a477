/** The part of JSON Schema that strict structured outputs use. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly unknown[];
  readonly items?: unknown;
  readonly properties?: Readonly<Record<string, unknown>>;
}

/**
 * A value that keeps to a schema: every property, one item in each array, the first of several choices.
 * @param text what every free string says
 */
export function sampleOfSchema(schema: unknown, text: string): unknown {
  if (typeof schema !== 'object' || schema === null) return text;
  const { type, enum: choices, anyOf, items, properties, const: constant } = schema as Schema;
  if (constant !== undefined) return constant;
  if (choices !== undefined) return choices[0];
  if (anyOf !== undefined) return sampleOfSchema(anyOf[0], text);
  switch (typeof type === 'object' ? type[0] : type) {
    case 'number':
    case 'integer':
      return 1;
    case 'boolean':
      return true;
    case 'null':
      return null;
    case 'array':
      return [sampleOfSchema(items, text)];
    case 'object':
      return Object.fromEntries(
        Object.entries(properties ?? {}).map(([name, property]) => [name, sampleOfSchema(property, text)]),
      );
    default:
      return text;
  }
}
