import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { ApiError } from '../../core/errors.ts';

/** What is compared to tell a repeat from another request under the same key. */
export interface KeyedRequest {
  /** Under which the claim is stored. */
  readonly claimId: string;
  /** SHA-256 of the body's bytes as they came, as hex. */
  readonly bodyHash: string;
}

/** One to 255 printable characters of ASCII, as the published draft of the header and its users have it. */
const KEY_FORMAT = /^[\x20-\x7e]{1,255}$/;

/**
 * The idempotency key of a request, with whose it is and where it was sent; undefined where there is none.
 * @throws ApiError for a header that is no key
 */
export function readIdempotencyKey(request: FastifyRequest): KeyedRequest | undefined {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key !== 'string' || !KEY_FORMAT.test(key)) {
    throw new ApiError('invalid_value', "The header 'Idempotency-Key' must have 1 to 255 printable ASCII characters.", {
      param: 'Idempotency-Key',
    });
  }
  const [path = ''] = request.url.split('?');
  return {
    claimId: `${request.caller.keyId}:${sha256(`${request.method} ${path}\n${key}`)}`,
    bodyHash: request.bodyHash ?? sha256(''),
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The key stands for another request. Clients must not send it again by themselves: it would fail again. */
export function keyReused(): ApiError {
  return new ApiError(
    'idempotency_key_reused',
    'This Idempotency-Key was used for another request body within the last 24 hours. Use a new key for a new request.',
    { param: 'Idempotency-Key' },
  );
}
