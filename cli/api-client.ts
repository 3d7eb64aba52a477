import type { z } from 'zod';
import { isJsonObject, parseJson } from '../core/wire/json-object.ts';
import { CliError } from './cli-error.ts';
import { printable } from './table.ts';

/** How long an answer may take to begin. A retry of a large batch copies its rows before it answers. */
const ANSWER_TIMEOUT_MS = 10 * 60_000;

export interface ApiClientOptions {
  /** With /v1, as OpenAI's clients take it. */
  readonly baseUrl: string;
  readonly key: string;
  readonly interrupted: AbortSignal;
}

/** The public API, as any client of it. Paths begin behind /v1 and have their segments encoded. */
export interface ApiClient {
  /** @throws CliError with one line that says what to do */
  request<Shape extends z.ZodType>(
    method: 'GET' | 'POST',
    path: string,
    shape: Shape,
    body?: FormData | object,
  ): Promise<z.infer<Shape>>;
  /** An answer whose body is read as it comes. @throws CliError like `request` */
  open(path: string, accept: string): Promise<Response>;
}

export function createApiClient({ baseUrl, key, interrupted }: ApiClientOptions): ApiClient {
  const base = baseUrl.replace(/\/+$/, '');
  const send = async (path: string, init: RequestInit, headers: Record<string, string>): Promise<Response> => {
    // The limit is for the answer's beginning; results and progress take their time.
    const slow = new AbortController();
    const timer = setTimeout(() => slow.abort(), ANSWER_TIMEOUT_MS);
    const response = await fetch(base + path, {
      ...init,
      redirect: 'error',
      signal: AbortSignal.any([interrupted, slow.signal]),
      headers: { authorization: `Bearer ${key}`, ...headers },
    })
      .catch(() => {
        if (interrupted.aborted) throw new CliError('Interrupted.', 130);
        throw new ApiUnreachable(
          slow.signal.aborted
            ? `The API at ${base} does not answer. Is flatlane overloaded, or stopping?`
            : `Nothing answers at ${base}. Start flatlane, or say where it is with --base-url.`,
        );
      })
      .finally(() => clearTimeout(timer));
    if (response.ok) return response;
    throw refused(base, response.status, parseJson(await response.text()));
  };
  return {
    async request(method, path, shape, body) {
      const isForm = body === undefined || body instanceof FormData;
      const response = await send(
        path,
        { method, ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }) },
        isForm ? {} : { 'content-type': 'application/json' },
      );
      const read = shape.safeParse(parseJson(await response.text()));
      if (read.success) return read.data;
      throw new CliError(`What answers at ${base} is no API that this version understands. Check --base-url.`);
    },
    open: (path, accept) => send(path, { method: 'GET' }, { accept }),
  };
}

/** Nobody answered: a process that restarts may do so a moment later. */
export class ApiUnreachable extends CliError {}

function refused(base: string, status: number, answer: unknown): CliError {
  if (status === 401) {
    return new CliError(
      `The API at ${base} does not accept the key. Give a key with FLATLANE_API_KEY; \`flatlane keys create\` makes one.`,
    );
  }
  const error = isJsonObject(answer) && isJsonObject(answer['error']) ? answer['error'] : {};
  const message = typeof error['message'] === 'string' ? printable(error['message']) : `It answered ${status}.`;
  return status >= 500 ? new ApiUnreachable(message) : new CliError(message);
}
