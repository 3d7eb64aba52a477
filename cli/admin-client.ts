import type { z } from 'zod';
import { isJsonObject, parseJson } from '../core/wire/json-object.ts';
import { CliError } from './cli-error.ts';
import { printable } from './table.ts';

/** The admin API answers from the database: what takes longer than this is a server that hangs. */
const ANSWER_TIMEOUT_MS = 30_000;

export interface AdminClient {
  /**
   * One request to the admin API.
   * @param path with segments already encoded, beginning with /admin.
   * @throws CliError with one line that says what to do.
   */
  request<Shape extends z.ZodType>(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    shape: Shape,
    body?: unknown,
  ): Promise<z.infer<Shape>>;
}

export interface AdminClientOptions {
  /** The address of the admin API, without /admin. */
  readonly url: string;
  readonly key: string;
  readonly interrupted: AbortSignal;
}

export function createAdminClient({ url, key, interrupted }: AdminClientOptions): AdminClient {
  const base = url.replace(/\/+$/, '');
  return {
    async request(method, path, shape, body) {
      // Not AbortSignal.timeout: Node 20 collects one that only AbortSignal.any knows of as garbage, and then it never comes.
      const slow = new AbortController();
      const timer = setTimeout(() => slow.abort(), ANSWER_TIMEOUT_MS);
      const response = await fetch(base + path, {
        method,
        redirect: 'error',
        signal: AbortSignal.any([interrupted, slow.signal]),
        headers: {
          authorization: `Bearer ${key}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }).catch(() => {
        clearTimeout(timer);
        if (interrupted.aborted) throw new CliError('Interrupted.', 130);
        throw unreachable(base, slow.signal.aborted);
      });
      const answer = parseJson(await response.text().finally(() => clearTimeout(timer)));
      if (!response.ok) throw refused(base, response.status, answer);
      const read = shape.safeParse(answer);
      if (read.success) return read.data;
      throw new CliError(`What answers at ${base} is no admin API that this version understands. Check --admin-url.`);
    },
  };
}

function unreachable(base: string, isSlow: boolean): CliError {
  if (isSlow) {
    return new CliError(`The admin API at ${base} does not answer. Is flatlane overloaded, or stopping?`);
  }
  return new CliError(`Nothing answers at ${base}. Start flatlane, or say where it is with --admin-url.`);
}

function refused(base: string, status: number, answer: unknown): CliError {
  if (status === 401 || status === 403) {
    return new CliError(
      `The admin API at ${base} does not accept the key. Give an admin key with FLATLANE_ADMIN_KEY; \`npm start -- --new-admin-key\` makes another one.`,
    );
  }
  const error = isJsonObject(answer) && isJsonObject(answer['error']) ? answer['error'] : {};
  const message = typeof error['message'] === 'string' ? printable(error['message']) : `It answered ${status}.`;
  return new CliError(message);
}
