import type { FastifyRequest } from 'fastify';
import { ApiError } from '../core/errors.ts';
import { storeTrouble } from '../store/store-trouble.ts';

/**
 * Reads and drops what is left of a refused upload, so that a client which is still sending gets to read the answer; but not
 * without end.
 */
export function letPass({ raw }: FastifyRequest, maxBytes: number): void {
  let left = 2 * maxBytes;
  raw.unpipe();
  raw.on('data', (piece: Buffer) => {
    left -= piece.length;
    if (left < 0) raw.destroy();
  });
  raw.resume();
}

/** What the form's parser says of a broken form, which has no class or code of its own. */
const BROKEN_FORM = /multipart|Part terminated early|Boundary|Malformed|aborted/i;

/**
 * To be called right before a form is read: of a request that was cut off before nothing is heard any more, and its parser would wait
 * for the first part for ever.
 * @throws ApiError
 */
export function refuseCutOff({ raw }: FastifyRequest): void {
  if (raw.destroyed) throw brokenForm();
}

/** What went wrong while a form was read and stored, as an answer to its sender where it is theirs. */
export function toFormError(cause: unknown): unknown {
  if (cause instanceof ApiError || !(cause instanceof Error) || storeTrouble(cause) !== null) return cause;
  const code = 'code' in cause ? String(cause.code) : '';
  if (code.startsWith('FST_') || code === 'ECONNRESET' || BROKEN_FORM.test(cause.message)) {
    return brokenForm(cause);
  }
  return cause;
}

function brokenForm(cause?: Error): ApiError {
  return new ApiError('invalid_request', 'The form of the upload is broken, incomplete or has too many parts.', {
    cause,
  });
}
