import type { WebSocket } from 'ws';
import type { AttemptLog } from '../attempt-log.ts';
import type { Account } from './account.ts';
import { buildEmptyResponse } from './answer-events.ts';
import { type CallWire, serveModelCall } from './model-call.ts';
import { planEvent } from './plan-routes.ts';
import type { ResponsesItem, ResponsesRequest } from './read-request.ts';

interface Conversation {
  readonly account: Account;
  readonly authorized: () => boolean;
  readonly log: AttemptLog;
}

/**
 * Serves the model calls of one WebSocket. The CLI sends only what is new when it names the previous response, so the
 * history of the last one is kept.
 */
export function serveWebSocket(socket: WebSocket, { account, authorized, log }: Conversation): void {
  const gone = new AbortController();
  let previous: { readonly responseId: string; readonly history: readonly ResponsesItem[] } | undefined;
  socket.on('close', () => gone.abort());
  // A reset by the CLI also ends in `close`.
  socket.on('error', () => gone.abort());

  const send = (event: object): void => socket.send(JSON.stringify(event));
  const wire: CallWire = {
    transport: 'websocket',
    signal: gone.signal,
    begin: (plan) => send(planEvent(plan)),
    send,
    // Exactly one of `status` and `status_code`: with both the CLI can't read the frame.
    refuse: ({ status, error, headers }) => send({ type: 'error', status, error, headers }),
    end: () => undefined,
    cut: () => {
      // What was written must arrive before the cut, or there was no half answer.
      socket.ping(undefined, undefined, () => socket.terminate());
    },
  };

  const answer = async (request: ResponsesRequest): Promise<void> => {
    const known = request.previous_response_id;
    const before = known !== undefined && known !== null && known === previous?.responseId ? previous.history : [];
    const input = [...before, ...(request.input ?? [])];
    if (request.generate === false) {
      const { responseId, events } = buildEmptyResponse();
      previous = { responseId, history: input };
      for (const event of events) send(event);
      return;
    }
    const served = await serveModelCall({ account, authorized: authorized(), request, input, wire, log });
    if (served !== undefined) previous = { responseId: served.responseId, history: [...input, ...served.items] };
  };

  socket.on('message', (data) => {
    const request = JSON.parse((data as Buffer).toString()) as ResponsesRequest;
    if (request.type !== 'response.create') return;
    answer(request).catch((error: unknown) => socket.close(1011, String(error).slice(0, 100)));
  });
}
