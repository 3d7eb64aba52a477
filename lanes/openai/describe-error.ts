import { AddressRefusedError } from './check-address.ts';
import { BodyTooLargeError } from './bounded-body.ts';
import { EventStreamError } from './sse-parser.ts';

/** Codes of Node and undici that the owner of a lane can act on, in our own words. */
const KNOWN_CODES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the provider refuses the connection',
  ECONNRESET: 'the provider reset the connection',
  ENOTFOUND: 'the provider’s host name is not known',
  EAI_AGAIN: 'the name server did not answer',
  EPIPE: 'the provider closed the connection',
  UND_ERR_CONNECT_TIMEOUT: 'no connection to the provider in time',
  Z_BUF_ERROR: 'the provider’s answer was cut off',
  Z_DATA_ERROR: 'the provider’s answer is not packed as it says',
  UND_ERR_SOCKET: 'the provider closed the connection',
  UND_ERR_HEADERS_OVERFLOW: 'the provider’s headers are too large',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the provider’s answer was cut off',
};

/** A short reason for an error of the connection or of the body. Holds nothing that the provider sent. */
export function describeError(error: unknown): string {
  if (error instanceof AddressRefusedError) return 'the provider’s address leads into a private network';
  if (error instanceof BodyTooLargeError) return 'the provider’s answer does not end';
  if (error instanceof EventStreamError) return 'the provider’s stream makes no sense';
  const code = codeOf(error);
  if (code === undefined) return 'the connection to the provider failed';
  return KNOWN_CODES[code] ?? `the connection to the provider failed (${code})`;
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  // Several addresses were tried: they mostly fail alike, so the first speaks for all.
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  const code: unknown = 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[A-Z0-9_]{1,60}$/.test(code) ? code : undefined;
}
