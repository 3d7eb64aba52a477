import type { z } from 'zod';
import { isJsonObject, parseJson } from '../core/wire/json-object.ts';
import { ApiUnreachable, askAgain, interruptedAnswer, LostAnswer } from './ask-again.ts';
import { CliError } from './cli-error.ts';
import { printable } from './table.ts';

/** How long an answer may take to begin. A retry of a large batch copies its rows before it answers. */
const ANSWER_TIMEOUT_MS = 10 * 60_000;

export interface ApiClientOptions {
  /** With /v1, as OpenAI's clients take it. */
  readonly baseUrl: string;
  readonly key: string;
  readonly interrupted: AbortSignal;
  /** Rejects when the command is interrupted. */
  readonly sleep: (ms: number) => Promise<void>;
}

/** The public API, as any client of it. Paths begin behind /v1 and have their segments encoded. */
export interface ApiClient {
  /**
   * @param idempotencyKey with it, where the path takes one, the request is sent again when its answer is lost
   * @throws CliError with one line that says what to do; LostAnswer when the request may have been carried out
   */
  request<Shape extends z.ZodType>(
    method: 'GET' | 'POST',
    path: string,
    shape: Shape,
    body?: FormData | object,
    idempotencyKey?: string,
  ): Promise<z.infer<Shape>>;
  /** An answer whose body is read as it comes. @throws CliError like `request` */
  open(path: string, accept: string): Promise<Response>;
}

export function createApiClient({ baseUrl, key, interrupted, sleep }: ApiClientOptions): ApiClient {
  const base = baseUrl.replace(/\/+$/, '');
  const brokenOff = (): LostAnswer =>
    interrupted.aborted
      ? interruptedAnswer()
      : new LostAnswer(`The API at ${base} broke off before its answer was there.`, { again: true });
  const textOf = (response: Response): Promise<string> =>
    response.text().catch(() => {
      throw brokenOff();
    });
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
      .catch((error: unknown) => {
        if (interrupted.aborted || wasCut(error)) throw brokenOff();
        if (slow.signal.aborted) {
          throw new LostAnswer(`The API at ${base} does not answer. Is flatlane overloaded, or stopping?`, {
            again: false,
          });
        }
        throw new ApiUnreachable(`Nothing answers at ${base}. Start flatlane, or say where it is with --base-url.`);
      })
      .finally(() => clearTimeout(timer));
    if (response.ok) return response;
    throw refused(base, response, parseJson(await textOf(response)));
  };
  return {
    async request(method, path, shape, body, idempotencyKey) {
      const isForm = body === undefined || body instanceof FormData;
      const init = { method, ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }) };
      const headers = {
        ...(isForm ? {} : { 'content-type': 'application/json' }),
        ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
      };
      const ask = async (): Promise<string> => textOf(await send(path, init, headers));
      const read = shape.safeParse(parseJson(await (idempotencyKey === undefined ? ask() : askAgain(sleep, ask))));
      if (read.success) return read.data;
      throw new CliError(`What answers at ${base} is no API that this version understands. Check --base-url.`);
    },
    open: (path, accept) => send(path, { method: 'GET' }, { accept }),
  };
}

/** How a connection ends on which the request was, or may have been, sent. */
const CUT_OFF: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

function wasCut(error: unknown): boolean {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && CUT_OFF.has(cause.code);
}

function refused(base: string, { status, headers }: Response, answer: unknown): CliError {
  if (status === 401) {
    return new CliError(
      `The API at ${base} does not accept the key. Give a key with FLATLANE_API_KEY; \`flatlane keys create\` makes one.`,
    );
  }
  const error = isJsonObject(answer) && isJsonObject(answer['error']) ? answer['error'] : {};
  const message = typeof error['message'] === 'string' ? printable(error['message']) : `It answered ${status}.`;
  if (status < 500) return new CliError(message);
  // Then it says itself what has come of it.
  if (headers.get('x-should-retry') === 'false') return new ApiUnreachable(message);
  return new LostAnswer(message, { again: true });
}
