import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A model endpoint on loopback that answers with whatever the self-test wants to try, and keeps what it was asked. */
export interface SelfTestServer {
  /** Base of the Responses API, as `http://127.0.0.1:port/v1`. */
  readonly baseUrl: string;
  /** Bodies of the model calls so far. */
  readonly requests: readonly Readonly<Record<string, unknown>>[];
  /** Sets the items of the answers to the next calls, one array a call; after that a plain text is answered. */
  script(answers: readonly (readonly Readonly<Record<string, unknown>>[])[]): void;
  close(): Promise<void>;
}

/** A request of the self-test has some kilobytes. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

export async function startSelfTestServer(): Promise<SelfTestServer> {
  const requests: Readonly<Record<string, unknown>>[] = [];
  let answers: (readonly Readonly<Record<string, unknown>>[])[] = [];
  const server = createServer((request, response) => {
    readBody(request).then(
      (body) => {
        if (request.method !== 'POST' || request.url?.endsWith('/responses') !== true) {
          response.writeHead(404).end();
          return;
        }
        requests.push(JSON.parse(body) as Readonly<Record<string, unknown>>);
        answer(response, answers.shift() ?? [TEXT_ITEM]);
      },
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    requests,
    script: (next) => {
      answers = [...next];
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const TEXT_ITEM = {
  type: 'message',
  role: 'assistant',
  id: 'msg_self_test',
  content: [{ type: 'output_text', text: 'done' }],
};

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_BODY_BYTES) throw new Error('The body is too large for a self-test.');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function answer(response: ServerResponse, items: readonly Readonly<Record<string, unknown>>[]): void {
  const usage = { input_tokens: 1, output_tokens: 1, total_tokens: 2 };
  const events = [
    { type: 'response.created', response: { id: 'resp_self_test' } },
    ...items.map((item, index) => ({ type: 'response.output_item.done', item, output_index: index })),
    { type: 'response.completed', response: { id: 'resp_self_test', usage } },
  ];
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.end(events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(''));
}
