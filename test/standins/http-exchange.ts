import type { IncomingMessage, ServerResponse } from 'node:http';
import { decompress } from 'fzstd';

/**
 * The whole body of a request, unpacked where it came packed with zstd.
 * @throws Error when the caller went away before the end
 */
export function readBody(request: IncomingMessage): Promise<Buffer> {
  // Callbacks and not `for await`, which takes as long as the rest of a fast answer.
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('error', reject);
    request.on('end', () => {
      const [first] = pieces;
      const body = pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces);
      if (request.headers['content-encoding'] !== 'zstd') return resolve(body);
      try {
        resolve(Buffer.from(decompress(body)));
      } catch (error) {
        reject(error);
      }
    });
  });
}

/** Aborted when the caller of this answer has gone away. */
export function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  if (response.destroyed) gone.abort();
  else response.on('close', () => gone.abort());
  return gone.signal;
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    ...headers,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

/** Waits; false when the signal ended the wait. */
export function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(false);
    const onAbort = (): void => {
      clearTimeout(timer);
      resolve(false);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve(true);
    }, ms);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** Waits until the signal ends it. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
