import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SeenCall {
  readonly call: string;
  readonly body: unknown;
}

/** An answer: a body for 200, or a status with a body. */
type Reply = { readonly status: number; readonly body: unknown };
type Handler = (body: unknown) => Reply | object;

export interface AdminFake {
  readonly url: string;
  readonly seen: readonly SeenCall[];
  /** Answers `METHOD /path` from now on; several answers are given one after the other, the last one for ever. */
  on(call: string, ...answers: readonly (Reply | object | Handler)[]): void;
  close(): Promise<void>;
}

export const ADMIN_KEY = 'sk-fl-admin-test';

export const failed = (status: number, message: string): Reply => ({
  status,
  body: { error: { message, type: 'invalid_request_error', param: null, code: null } },
});

/** The admin API's wire, with answers that a test decides. It demands the key as the true one does. */
export async function startAdminFake(): Promise<AdminFake> {
  const seen: SeenCall[] = [];
  const answers = new Map<string, (Reply | object | Handler)[]>();
  const server = createServer((request, response) => {
    void (async () => {
      const body = await readJson(request);
      const call = `${request.method} ${request.url}`;
      const reply = answerTo(request, call, body);
      seen.push({ call, body });
      response.writeHead(reply.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(reply.body));
    })();
  });
  const answerTo = (request: IncomingMessage, call: string, body: unknown): Reply => {
    if (request.headers.authorization !== `Bearer ${ADMIN_KEY}`) return failed(401, 'Incorrect API key provided.');
    const queue = answers.get(call);
    if (queue === undefined) return failed(404, `Unknown path ${call}.`);
    const answer = queue.length > 1 ? queue.shift() : queue[0];
    const reply = typeof answer === 'function' ? (answer as Handler)(body) : (answer ?? {});
    return 'status' in reply ? (reply as Reply) : { status: 200, body: reply };
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    on: (call, ...given) => void answers.set(call, [...given]),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => void server.close(resolve));
    },
  };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return parts.length === 0 ? undefined : JSON.parse(Buffer.concat(parts).toString());
}
