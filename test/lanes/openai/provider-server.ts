import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as the provider saw it. */
export interface SeenRequest {
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: Record<string, unknown>;
  /** Tells connections apart. */
  readonly remotePort: number | undefined;
}

export type Answer = (response: ServerResponse, seen: SeenRequest) => void | Promise<void>;

export interface ProviderServer {
  readonly baseUrl: string;
  readonly seen: readonly SeenRequest[];
  /** What the next requests get. */
  answerWith(answer: Answer): void;
  /** Resolves when a response was closed before it ended. */
  nextCut(): Promise<unknown>;
  close(): Promise<void>;
}

/** A provider on a real socket whose every byte the test decides. */
export async function startProvider(): Promise<ProviderServer> {
  const seen: SeenRequest[] = [];
  const cuts: (() => void)[] = [];
  let answer: Answer = (response) => void response.end();
  const server = createServer((request, response) => {
    response.on('close', () => {
      if (!response.writableFinished) cuts.shift()?.();
    });
    void (async () => {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      const { url, headers, socket } = request;
      const body = JSON.parse(Buffer.concat(parts).toString()) as Record<string, unknown>;
      const entry = { url, headers, body, remotePort: socket.remotePort };
      seen.push(entry);
      await answer(response, entry);
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    seen,
    answerWith: (next) => {
      answer = next;
    },
    nextCut: () => new Promise<void>((resolve) => void cuts.push(resolve)),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => void server.close(resolve));
    },
  };
}

/** Answers with JSON, or with any other text. */
export function json(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}

/** Answers with an event stream of these events, and ends it. */
export function events(data: readonly unknown[]): Answer {
  return (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    for (const event of data) response.write(toEvent(event));
    response.end();
  };
}

export function toEvent(data: unknown): string {
  return `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
}
