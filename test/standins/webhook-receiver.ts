import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedWebhook {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** How it answers: a status, or whatever a function writes. */
type Answer = number | ((response: ServerResponse) => void);

/** A receiver of webhooks on loopback. It can be shut and opened again on the same port. */
export interface WebhookReceiver {
  readonly url: string;
  readonly received: readonly ReceivedWebhook[];
  /** From now on; several are given one after the other, the last one for ever. */
  answer(...answers: readonly Answer[]): void;
  /** Nobody listens any more. */
  shut(): Promise<void>;
  open(): Promise<void>;
  close(): Promise<void>;
}

export async function startWebhookReceiver(): Promise<WebhookReceiver> {
  const received: ReceivedWebhook[] = [];
  let answers: Answer[] = [204];
  let port = 0;
  let server: Server | undefined;

  const open = async (): Promise<void> => {
    server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        received.push({
          path: request.url ?? '',
          headers: request.headers,
          body: Buffer.concat(parts).toString('utf8'),
        });
        const answer = answers.length > 1 ? answers.shift() : answers[0];
        if (typeof answer === 'function') answer(response);
        else response.writeHead(answer ?? 204).end();
      });
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  };
  const shut = async (): Promise<void> => {
    const open = server;
    server = undefined;
    if (open === undefined) return;
    open.closeAllConnections();
    await new Promise((resolve) => void open.close(resolve));
  };
  await open();
  return {
    url: `http://127.0.0.1:${port}/hook?token=in-the-query`,
    received,
    answer: (...given) => void (answers = [...given]),
    shut,
    open,
    close: shut,
  };
}
