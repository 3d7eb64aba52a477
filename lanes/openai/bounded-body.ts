/** A whole answer may be this large: audio and images in base64 fit, and an endless body can't fill the memory. */
export const ANSWER_LIMIT_BYTES = 64 * 1024 * 1024;

/** An error body is some hundred bytes; what is longer is no error body. */
export const ERROR_BODY_LIMIT_BYTES = 1024 * 1024;

/** A body that grew past its limit. */
export class BodyTooLargeError extends Error {
  override readonly name = 'BodyTooLargeError';
}

/**
 * Passes a body on, and stops it at the limit. Ending the iteration early closes the connection.
 * @throws BodyTooLargeError at the limit.
 */
export async function* limitBytes(
  body: AsyncIterable<Uint8Array>,
  limit: number,
): AsyncGenerator<Uint8Array, void, void> {
  let total = 0;
  for await (const bytes of body) {
    total += bytes.byteLength;
    if (total > limit) throw new BodyTooLargeError('The body is past the limit.');
    yield bytes;
  }
}

/**
 * Reads a whole body as UTF-8.
 * @throws BodyTooLargeError past the limit, TypeError for bytes that are no UTF-8; and whatever the body throws.
 */
export async function readText(body: AsyncIterable<Uint8Array>, limit: number): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const bytes of limitBytes(body, limit)) parts.push(bytes);
  return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts));
}
