/** Every escape of a JSON text, so that a backslash that is meant as one is not taken for the begin of another escape. */
const ESCAPE = /\\(?:u[0-9a-f]{4}|.)/g;

/** Half of a surrogate pair. `JSON.stringify` escapes it only where the other half is missing. */
const LONE_SURROGATE = /^\\ud[89a-f]/;

/**
 * Writes a value as JSON that any reader takes. A string of JavaScript may hold half of a surrogate pair, and `JSON.stringify`
 * writes it as an escape that no other reader accepts: it becomes U+FFFD here, in keys as well, as everywhere where such a
 * text is written as UTF-8.
 */
export function wellFormedJson(value: unknown): string {
  const text = JSON.stringify(value);
  // Nearly always there is none, and bodies can be many megabytes.
  if (!text.includes('\\ud')) return text;
  return text.replace(ESCAPE, (escape) => (LONE_SURROGATE.test(escape) ? '\ufffd' : escape));
}
