import { BACKSLASH, CLOSE_BRACE, CLOSE_BRACKET, COMMA, OPEN_BRACE, OPEN_BRACKET, QUOTE } from './json-characters.ts';
import { keepText } from './written-text.ts';

/** Bounds on JSON from callers, checked before and after parsing, so that no input costs more than its bytes. */

/** Deeper nesting has no use in a request, and parsers and walkers recurse. */
export const MAX_JSON_DEPTH = 64;

/**
 * Values in one text. A value of two bytes (`[]`) takes some 50 in memory: 16 MiB of them would be half a gigabyte. The widest
 * use that we know, an embedding of token ids, has 300,000.
 */
export const MAX_JSON_VALUES = 1_000_000;

/** Keys that change an object's prototype when it is copied carelessly anywhere below. */
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** Cheap test for the texts that can hold a forbidden key at all; `\u` because a key may be written in escapes. */
const MAY_HOLD_FORBIDDEN_KEY = /__proto__|constructor|prototype|\\u/;

/**
 * Cheap test for the texts that can hold a number above the largest double, which has 309 digits: an exponent of three digits, or
 * two hundred digits in a row. The look behind keeps it from beginning at every digit of a long row.
 */
const MAY_HOLD_TOO_LARGE = /\d[eE]\+?\d{3}|(?<!\d)\d{200}/;

/** A fatal decoder: a byte sequence that is not UTF-8 is refused, never replaced. A BOM stays, and then JSON refuses it. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export type BoundedJson =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: 'not_utf8' | 'not_json' | 'too_deep' | 'too_wide' | 'number_too_large' }
  | { readonly ok: false; readonly reason: 'forbidden_key'; readonly key: string };

/**
 * Which bound a JSON text is over: nesting, or the number of its values. Looks at brackets and
 * commas outside strings only; one pass, no recursion, no memory.
 */
export function exceedsBounds(bytes: Uint8Array, maxDepth: number, maxValues: number): 'too_deep' | 'too_wide' | null {
  let depth = 0;
  // Each value but the first follows a comma or is the first in its brackets.
  let values = 1;
  let inString = false;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index];
    if (inString) {
      if (byte === BACKSLASH) index++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (++depth > maxDepth) return 'too_deep';
      if (++values > maxValues) return 'too_wide';
    } else if (byte === COMMA) {
      if (++values > maxValues) return 'too_wide';
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--;
  }
  return null;
}

/** The first key of a parsed value that is refused, or undefined. The depth is bounded already, so it may recurse. */
function findForbiddenKey(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) {
    for (const item of value) {
      const found = findForbiddenKey(item);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  for (const [key, item] of Object.entries(value)) {
    if (FORBIDDEN_KEYS.has(key)) return key;
    const found = findForbiddenKey(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether a number became Infinity, which JSON can't say: it would go on as null. The depth is bounded already. */
function hasInfinity(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some(hasInfinity);
}

/** Parses bytes as JSON within the bounds: UTF-8, depth, width, keys, numbers. An object keeps its text. Never throws. */
export function parseBoundedJson(bytes: Uint8Array): BoundedJson {
  const reason = exceedsBounds(bytes, MAX_JSON_DEPTH, MAX_JSON_VALUES);
  if (reason !== null) return { ok: false, reason };
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return { ok: false, reason: 'not_utf8' };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, reason: 'not_json' };
  }
  const key = MAY_HOLD_FORBIDDEN_KEY.test(text) ? findForbiddenKey(value) : undefined;
  if (key !== undefined) return { ok: false, reason: 'forbidden_key', key };
  if (MAY_HOLD_TOO_LARGE.test(text) && hasInfinity(value)) return { ok: false, reason: 'number_too_large' };
  return { ok: true, value: keepText(value, text) };
}
