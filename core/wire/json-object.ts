/** A JSON object of unknown shape, as it comes from the other side of a wire. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** True for a JSON object; false for arrays, null and plain values. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Parses a text; undefined where it is not JSON (cut off, HTML, nested too deeply to be parsed). */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
