import type { z } from 'zod';
import { isJsonObject, parseJson } from '../core/wire/json-object.ts';
import { ApiUnreachable, askAgain, interruptedAnswer, LastWord, LostAnswer } from './ask-again.ts';
import { CliError } from './cli-error.ts';
import { printable } from './table.ts';

/**
 * How long an answer may take to begin, with the time in which the request is sent: a file may be large. From when all is sent Node
 * itself waits five minutes; a retry of a large batch copies its rows before it answers.
 */
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
      redirect: 'manual',
      signal: AbortSignal.any([interrupted, slow.signal]),
      headers: { authorization: `Bearer ${key}`, ...headers },
    })
      .catch((error: unknown) => {
        if (!interrupted.aborted && (slow.signal.aborted || isSlow(error))) {
          throw new LostAnswer(`The API at ${base} does not answer. Is flatlane overloaded, or stopping?`, {
            again: false,
          });
        }
        if (interrupted.aborted || !isUnsent(error)) throw brokenOff();
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

interface Cause {
  readonly code?: unknown;
  readonly syscall?: unknown;
  readonly message?: unknown;
}

/** Why `fetch` has failed; undefined where it did not take what it was given, and so did not begin. */
function causeOf(error: unknown): (Error & Cause) | undefined {
  return error instanceof Error && error.cause instanceof Error ? error.cause : undefined;
}

function isSlow(error: unknown): boolean {
  return causeOf(error)?.code === 'UND_ERR_HEADERS_TIMEOUT';
}

/** Steps on the way to a connection. */
const CONNECTING: ReadonlySet<unknown> = new Set(['getaddrinfo', 'connect']);

/** No connection in time, and no secure one: the address is not one of TLS, or its certificate is not accepted. */
const UNCONNECTED =
  /^(?:UND_ERR_CONNECT_TIMEOUT|ERR_SSL_WRONG_VERSION_NUMBER|ERR_TLS_CERT_ALTNAME_INVALID|CERT_\w+|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+)$/;

/** True when it is known that nothing of a request was sent. */
function isUnsent(error: unknown): boolean {
  const cause = causeOf(error);
  // A list of failures is one for each address of a name; to some ports `fetch` never goes.
  if (cause === undefined || cause instanceof AggregateError || cause.message === 'bad port') return true;
  return CONNECTING.has(cause.syscall) || UNCONNECTED.test(String(cause.code));
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
  if (headers.get('x-should-retry') === 'false') return new LastWord(message);
  return new LostAnswer(message, { again: true });
}
