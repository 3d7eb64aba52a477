import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { goneSignal, sendJson, untilAborted } from '../http-exchange.ts';
import type { Failure } from '../magic-words.ts';
import { refuse } from './api-errors.ts';

const ENDLESS_PIECE_BYTES = 65_536;

/**
 * Answers with status 200 and something that is no answer.
 * @returns false for a failure that is not of this kind
 */
export async function answerSpoiled(
  response: ServerResponse,
  failure: Failure,
  stream: boolean,
  headers: Readonly<Record<string, string>>,
): Promise<boolean> {
  const contentType = stream ? 'text/event-stream' : 'application/json';
  const { body } = refuse(500, 'server_error', null, 'The server had an error while processing your request.');
  switch (failure.kind) {
    case 'html':
      response.writeHead(200, { ...headers, 'content-type': 'text/html' });
      response.end('<!doctype html><title>502 Bad Gateway</title><h1>Bad Gateway</h1>');
      return true;
    case 'broken':
      response.writeHead(200, { ...headers, 'content-type': contentType });
      response.end(`${stream ? 'data: ' : ''}{"id":"chatcmpl-broken","object":"chat.compl`);
      return true;
    case 'error200':
      if (!stream) sendJson(response, 200, body, headers);
      else {
        response.writeHead(200, { ...headers, 'content-type': contentType });
        response.end(`data: ${JSON.stringify(body)}\n\n`);
      }
      return true;
    case 'endless':
      response.writeHead(200, { ...headers, 'content-type': contentType });
      await writeWithoutEnd(response);
      return true;
    default:
      return false;
  }
}

async function writeWithoutEnd(response: ServerResponse): Promise<void> {
  const piece = ' '.repeat(ENDLESS_PIECE_BYTES);
  const signal = goneSignal(response);
  const gone = untilAborted(signal);
  while (!signal.aborted) {
    if (response.write(piece)) await new Promise(setImmediate);
    else await Promise.race([once(response, 'drain', { signal }).catch(() => undefined), gone]);
  }
}
