import { LONGEST_WINDOW_MS } from '../../core/contracts/timings.ts';

/** Response headers as undici gives them: lower case, repeated ones as a list. */
export type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>;

/**
 * When a provider wants to be asked again: `retry-after-ms`, else `retry-after` in seconds or as a date.
 * @returns Unix milliseconds, never in the past and never further away than a window can be; undefined where nothing is said.
 */
export function readRetryAfter(headers: ResponseHeaders, now: number): number | undefined {
  const waitMs = waitInMilliseconds(headers, now);
  return waitMs === undefined ? undefined : now + Math.min(Math.max(0, Math.ceil(waitMs)), LONGEST_WINDOW_MS);
}

function waitInMilliseconds(headers: ResponseHeaders, now: number): number | undefined {
  const inMilliseconds = readNumber(headers['retry-after-ms']);
  if (inMilliseconds !== undefined) return inMilliseconds;
  const inSeconds = readNumber(headers['retry-after']);
  if (inSeconds !== undefined) return inSeconds * 1000;
  const date = Date.parse(readFirst(headers['retry-after']));
  return Number.isNaN(date) ? undefined : date - now;
}

function readNumber(header: string | string[] | undefined): number | undefined {
  const text = readFirst(header);
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}

function readFirst(header: string | string[] | undefined): string {
  return (Array.isArray(header) ? header[0] : header)?.trim() ?? '';
}
