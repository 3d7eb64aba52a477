import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { ApiError } from '../../core/errors.ts';
import { newRequestId } from '../../core/ids.ts';

/** A client that tries again after this long finds the process that takes over, or this one started again. */
const ANOTHER_TAKES_OVER_MS = 1_000;

/**
 * Refuses what comes over connections that are still open while the server closes, in OpenAI's shape: clients then try again,
 * elsewhere or later. Fastify's own answer, which `return503OnClosing` turns off, has an `error` that is a text.
 */
export function refuseWhileClosing(app: FastifyInstance): void {
  let isClosing = false;
  app.addHook('preClose', async () => {
    isClosing = true;
  });
  app.addHook('onRequest', async () => {
    if (!isClosing) return;
    throw new ApiError('server_is_overloaded', 'The server is closing. Send the request again.', {
      retryAfterMs: ANOTHER_TAKES_OVER_MS,
    });
  });
}

/** Answers bytes that never became a request: there is no route, no hook and no reply for them. */
export function answerUnparsed(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (socket.writable) {
    const { status, message } = reasonOf(error.code);
    const body = JSON.stringify(new ApiError('invalid_request', message).body);
    socket.write(
      [
        `HTTP/1.1 ${status}`,
        `x-request-id: ${newRequestId()}`,
        'content-type: application/json',
        `content-length: ${Buffer.byteLength(body)}`,
        'connection: close',
        '',
        body,
      ].join('\r\n'),
    );
  }
  socket.destroySoon();
}

function reasonOf(code: string | undefined): { readonly status: string; readonly message: string } {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: '408 Request Timeout', message: 'The request did not arrive in time.' };
    case 'HPE_HEADER_OVERFLOW':
      return { status: '431 Request Header Fields Too Large', message: 'The headers of the request are too large.' };
    default:
      return { status: '400 Bad Request', message: 'The request is not well formed.' };
  }
}
