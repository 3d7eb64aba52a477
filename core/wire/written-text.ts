import { isJsonObject } from './json-object.ts';
import { readMembers, writeMembers } from './json-text.ts';

/**
 * A body is read as values and passed on as the text that its caller wrote: values alone would lose digits of large numbers
 * and the order of names. The text belongs to the object that was made of it and to no copy, so that a body which was changed
 * on its way is never sent as it was before. It can't be listed: neither JSON nor a database sees it.
 */
const WRITTEN = Symbol('the text that it was made of');

interface Written {
  readonly [WRITTEN]?: string;
}

/** Notes on an object the JSON text that says the same. @returns the value; what is no object is given back as it is */
export function keepText<Value>(value: Value, text: string | undefined): Value {
  if (text === undefined || !isJsonObject(value)) return value;
  return Object.defineProperty(value, WRITTEN, { value: text, configurable: true });
}

/** The JSON text that an object was made of; undefined where nobody has noted it. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'object' && value !== null ? (value as Written)[WRITTEN] : undefined;
}

/** The JSON text of an object: as it was written, or else anew. */
export function toText(value: object): string {
  return textOf(value) ?? JSON.stringify(value);
}

/** The members of an object, each as it was written. One that names a member twice is written anew, with what counted here. */
export function membersOf(value: object): Map<string, string> {
  const text = textOf(value);
  const members = (text === undefined ? null : readMembers(text)) ?? readMembers(JSON.stringify(value));
  if (members === null) throw new Error('only objects have members');
  return members;
}

/** A copy without a member that its type does not demand, which is missing in its text as well. */
export function withoutMember<Value extends Readonly<Record<string, unknown>>>(value: Value, name: string): Value {
  if (!Object.hasOwn(value, name)) return value;
  const { [name]: _left, ...rest } = value;
  const members = membersOf(value);
  members.delete(name);
  return keepText(rest as unknown as Value, writeMembers(members));
}
