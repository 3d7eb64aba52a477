import type { ServerResponse } from 'node:http';
import { goneSignal, sendJson } from '../http-exchange.ts';
import type { CallWire } from './model-call.ts';
import { planHeaders } from './plan-routes.ts';

/** A model call over `POST /backend-api/codex/responses`. */
export function createSseWire(response: ServerResponse): CallWire {
  return {
    transport: 'sse',
    signal: goneSignal(response),
    begin(plan) {
      response.writeHead(200, { 'content-type': 'text/event-stream', ...planHeaders(plan) });
      response.flushHeaders();
    },
    send(event) {
      response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
    },
    refuse({ status, error, headers }) {
      sendJson(response, status, { error }, headers);
    },
    end() {
      response.end();
    },
    cut() {
      // What was written must arrive before the cut, or there was no half answer.
      response.write('', () => response.destroy());
    },
  };
}
