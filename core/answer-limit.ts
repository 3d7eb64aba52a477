/**
 * The longest text that is stored as one answer or one request body, in bytes of UTF-8. MongoDB takes documents of 16 MiB;
 * the rest is room for what stands beside the text: ids, times, a `custom_id`.
 */
const LONGEST_STORED_TEXT_BYTES = 15 * 1024 * 1024;

/** True for a text that one document can hold. */
export function fitsDocument(text: string): boolean {
  // A character is at most three bytes for each of its UTF-16 units: most texts need no count.
  return text.length * 3 <= LONGEST_STORED_TEXT_BYTES || Buffer.byteLength(text) <= LONGEST_STORED_TEXT_BYTES;
}
