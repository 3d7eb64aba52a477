import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
} from './json-characters.ts';

/**
 * Reads the outermost level of a JSON text and leaves all below it as it is written: `JSON.parse` would round numbers of more than
 * 15 digits, and put names that are numbers in front. Both functions take texts that `JSON.parse` takes; they check nothing
 * but what they need to find their way.
 */

/**
 * The members of an object, in order: each name with the text of its value. Null where the text is no object, and where it has a
 * name twice: what counts then differs from reader to reader.
 */
export function readMembers(text: string): Map<string, string> | null {
  let at = skipSpace(text, 0);
  if (text.charCodeAt(at) !== OPEN_BRACE) return null;
  const members = new Map<string, string>();
  at = skipSpace(text, at + 1);
  while (text.charCodeAt(at) === QUOTE) {
    const nameEnd = endOfString(text, at);
    const name = nameOf(text.slice(at, nameEnd));
    at = skipSpace(text, nameEnd);
    if (name === null || members.has(name) || text.charCodeAt(at) !== COLON) return null;
    const start = skipSpace(text, at + 1);
    const end = endOfValue(text, start);
    members.set(name, text.slice(start, end));
    at = skipSpace(text, end);
    if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1);
  }
  return text.charCodeAt(at) === CLOSE_BRACE ? members : null;
}

/** Writes an object of members whose values are texts of JSON. */
export function writeMembers(members: ReadonlyMap<string, string>): string {
  let text = '';
  for (const [name, value] of members) text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${value}`;
  return `{${text}}`;
}

/** The texts of the elements of a list, in order. Null where the text is no list. */
export function readElements(text: string): string[] | null {
  let at = skipSpace(text, 0);
  if (text.charCodeAt(at) !== OPEN_BRACKET) return null;
  const elements: string[] = [];
  at = skipSpace(text, at + 1);
  while (at < text.length && text.charCodeAt(at) !== CLOSE_BRACKET) {
    const end = endOfValue(text, at);
    if (end === at) return null;
    elements.push(text.slice(at, end));
    at = skipSpace(text, end);
    if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1);
  }
  return at < text.length ? elements : null;
}

/** A name may be written in escapes: `mode\u006c` is the model as well. */
function nameOf(written: string): string | null {
  if (!written.includes('\\')) return written.slice(1, -1);
  try {
    return String(JSON.parse(written));
  } catch {
    return null;
  }
}

/** Space, tab, line feed and carriage return: the only characters up to the space that stand between values. */
function skipSpace(text: string, from: number): number {
  let at = from;
  while (text.charCodeAt(at) <= 0x20) at++;
  return at;
}

/** @returns the index behind the closing quote; each character is looked at twice at most, however many are escaped */
function endOfString(text: string, open: number): number {
  let quote = text.indexOf('"', open + 1);
  while (quote !== -1) {
    let first = quote;
    while (text.charCodeAt(first - 1) === BACKSLASH) first--;
    if ((quote - first) % 2 === 0) return quote + 1;
    quote = text.indexOf('"', quote + 1);
  }
  return text.length;
}

/** @returns the index behind the value that begins at `start` */
function endOfValue(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === QUOTE) return endOfString(text, start);
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) return endOfPlain(text, start);
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const character = text.charCodeAt(at);
    if (character === QUOTE) at = endOfString(text, at) - 1;
    else if (character === OPEN_BRACE || character === OPEN_BRACKET) depth++;
    else if (character === CLOSE_BRACE || character === CLOSE_BRACKET) {
      if (--depth === 0) return at + 1;
    }
  }
  return text.length;
}

/** The end of a number, true, false or null. */
function endOfPlain(text: string, start: number): number {
  let at = start;
  while (at < text.length) {
    const character = text.charCodeAt(at);
    if (character <= 0x20 || character === COMMA || character === CLOSE_BRACE || character === CLOSE_BRACKET) break;
    at++;
  }
  return at;
}
