import type { AttemptFailure, FailureClass } from '../../core/contracts/failure.ts';
import { isJsonObject } from '../../core/wire/json-object.ts';
import { CONTENT_CODES, OVERLOAD_CODES, QUOTA_CODES } from './classify-response.ts';

/** What an error that comes inside a 200 means, with what the caller is told where it is the caller's own. */
export interface ErrorInside {
  readonly failure: Pick<AttemptFailure, 'class' | 'reason'>;
  readonly callerAnswer?: { readonly status: number; readonly body: string };
}

const PROMPT_CODES = new Set(['invalid_prompt', 'context_length_exceeded', 'cyber_policy', ...CONTENT_CODES]);

/**
 * What is wrong with an image, or with where it is said to be. An image that could not be fetched is the caller's as well: its
 * address is, whoever is to blame for the moment, and as a 400 before the answer begins providers say the same of it.
 */
const IMAGE_CODES = new Set([
  'invalid_image',
  'invalid_image_format',
  'invalid_base64_image',
  'invalid_image_url',
  'image_too_large',
  'image_too_small',
  'image_parse_error',
  'image_content_policy_violation',
  'invalid_image_mode',
  'image_file_too_large',
  'unsupported_image_media_type',
  'empty_image_file',
  'failed_to_download_image',
  'image_file_not_found',
]);

/** A provider's sentence is shorter; a caller reads no more than this of what claims to be one. */
const LONGEST_MESSAGE = 2_000;

/**
 * The class of an error inside a response, by its code as OpenAI documents it. Undefined for what is the provider's own
 * (`server_error`) and for what is not known: then the answer is broken. Pure.
 */
export function classifyErrorInside(error: unknown): ErrorInside | undefined {
  if (!isJsonObject(error) || typeof error['code'] !== 'string') return undefined;
  const { code } = error;
  const failed = (failureClass: FailureClass, reason: string): ErrorInside => ({
    failure: { class: failureClass, reason },
  });
  const told = (status: number, type: string, reason: string): ErrorInside => ({
    ...failed('caller_fault', reason),
    callerAnswer: { status, body: errorBody(error, type) },
  });

  if (PROMPT_CODES.has(code)) return told(400, 'invalid_request_error', 'the provider refused the prompt');
  if (IMAGE_CODES.has(code))
    return told(400, 'invalid_request_error', 'the provider can’t use an image of the request');
  // The caller's own store of files: nobody else's request waits for it, and another lane does not have it. A client may try again.
  if (code === 'vector_store_timeout') return told(503, 'server_error', 'the caller’s vector store was too slow');
  if (code === 'rate_limit_exceeded') return failed('rate_limited', 'the provider limits the rate');
  if (QUOTA_CODES.has(code)) return failed('window_exhausted', 'the quota at the provider is used up');
  if (OVERLOAD_CODES.has(code)) return failed('overloaded', 'the provider is overloaded');
  return undefined;
}

/** The provider's error in the form that it has as an answer of its own. */
function errorBody({ code, message, param }: Readonly<Record<string, unknown>>, type: string): string {
  const words = typeof message === 'string' && message !== '' ? message : 'The provider refused the request.';
  const at = typeof param === 'string' ? param : null;
  return JSON.stringify({ error: { message: words.slice(0, LONGEST_MESSAGE), type, param: at, code } });
}
