import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { ApiError } from '../../core/errors.ts';
import { newRequestId } from '../../core/ids.ts';
import { bearerOf } from './authenticate.ts';

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

/**
 * Refuses in OpenAI's shape what Node would answer by itself, with an empty body or none: a request without a Host, one with an
 * expectation that nobody knows, and a tunnel. Says `100 Continue` only where the key may be one: otherwise a client would upload
 * its whole body before it hears that it has none.
 */
export function refuseOddRequests(app: FastifyInstance): void {
  app.addHook('onRequest', async ({ raw, headers }) => {
    if (headers.host !== undefined || raw.httpVersion !== '1.1') return;
    throw new ApiError('invalid_request', 'The request has no Host header.');
  });
  app.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (bearerOf(request) !== undefined) response.writeContinue();
    app.server.emit('request', request, response);
  });
  app.server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const body = bodyOf("The only expectation that is met is '100-continue'.");
    response.writeHead(417, {
      'x-request-id': newRequestId(),
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    });
    response.end(body);
  });
  app.server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    // A client that is gone already is no matter of ours.
    socket.on('error', () => {});
    socket.end(textOf('400 Bad Request', 'This is no proxy: there is no CONNECT here.'));
  });
}

/** Answers bytes that never became a request: there is no route, no hook and no reply for them. */
export function answerUnparsed(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (socket.writable) {
    const { status, message } = reasonOf(error.code);
    socket.write(textOf(status, message));
  }
  socket.destroySoon();
}

/** A whole answer as it goes over the wire, after which the connection is closed. */
function textOf(status: string, message: string): string {
  const body = bodyOf(message);
  return [
    `HTTP/1.1 ${status}`,
    `x-request-id: ${newRequestId()}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
    '',
    body,
  ].join('\r\n');
}

function bodyOf(message: string): string {
  return JSON.stringify(new ApiError('invalid_request', message).body);
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
