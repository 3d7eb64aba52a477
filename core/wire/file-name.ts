import { ApiError } from '../errors.ts';

const LONGEST_CHARACTERS = 255;

/**
 * What no name of a file may hold: control characters, halves of characters, and the marks that turn the direction of what
 * follows. They end in headers, logs and terminals, where they pass one name off as another.
 */
const UNFIT = /[\p{Cc}\p{Cs}\u202A-\u202E\u2066-\u2069]/u;

/**
 * The name of an uploaded batch input, without the folders that some clients put in front.
 * @param param how the caller wrote the parameter, for the error
 * @throws ApiError invalid_value for a name that is unfit, invalid_request in OpenAI's words for another extension
 */
export function readFileName(given: string | undefined, param: string): string {
  // Forms may have a file without one.
  if (given === undefined) throw new ApiError('invalid_request', 'The file has no name.', { param });
  const name = given.slice(Math.max(given.lastIndexOf('/'), given.lastIndexOf('\\')) + 1);
  if (UNFIT.test(name)) {
    throw new ApiError('invalid_value', 'The name of the file has control characters.', { param });
  }
  if (name.length > LONGEST_CHARACTERS) {
    throw new ApiError('invalid_value', `The name of the file has more than ${LONGEST_CHARACTERS} characters.`, {
      param,
    });
  }
  if (!name.toLowerCase().endsWith('.jsonl') && !isCsvName(name)) {
    throw new ApiError('invalid_request', 'Invalid file format for Batch API. Must be .jsonl', { param });
  }
  return name;
}

/** True for a file whose name says that it is a table: a batch of it needs a template. */
export function isCsvName(name: string): boolean {
  return name.toLowerCase().endsWith('.csv');
}
