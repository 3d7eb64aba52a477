import { isJsonObject, parseJson } from '../../core/wire/json-object.ts';
import type { CompletionReading } from './read-completion.ts';

/** Checks that the body of a 200 is a list of embeddings. Pure. */
export function readEmbeddings(text: string): CompletionReading {
  const list = parseJson(text);
  if (!isJsonObject(list)) return { whole: false, reason: 'a 200 whose body is no JSON object' };
  if ((list['error'] ?? null) !== null) return { whole: false, reason: 'a 200 with an error in its body' };
  const data: unknown = list['data'];
  if (!Array.isArray(data) || data.length === 0) return { whole: false, reason: 'a 200 without embeddings' };
  if (data.some((one) => !isJsonObject(one) || (one['embedding'] ?? null) === null)) {
    return { whole: false, reason: 'a 200 with an embedding that is none' };
  }
  return { whole: true, body: text.trim(), usage: list['usage'] };
}
