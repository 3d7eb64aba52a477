import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ChatgptBackend } from './chatgpt/backend.ts';
import { readBody, sendJson } from './http-exchange.ts';
import type { OpenaiApi } from './openai/api.ts';

interface ControlBody {
  /** The account that a script is for; without it the script is for the OpenAI API. */
  readonly account?: string;
  readonly userCode?: string;
  /** In JSON, null stands for a field that is taken back. */
  readonly patch?: Readonly<Record<string, unknown>>;
}

export interface ControlServer {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Steers stand-ins that run in a process of their own: `GET /attempts`, `GET /counts`, `POST /script {account?, patch}`,
 * `POST /approve {userCode, account}`, `POST /reset-window {account}`, `POST /reset`. A mistake is a 400 with its reason.
 */
export async function startControlServer(chatgpt: ChatgptBackend, openai: OpenaiApi): Promise<ControlServer> {
  const answer = async (request: IncomingMessage): Promise<object> => {
    const body =
      request.method === 'POST' ? (JSON.parse((await readBody(request)).toString() || '{}') as ControlBody) : {};
    switch (`${request.method} ${request.url}`) {
      case 'GET /attempts':
        return { chatgpt: chatgpt.attempts(), openai: openai.attempts() };
      case 'GET /counts':
        return { chatgpt: chatgpt.counts(), openai: openai.counts() };
      case 'POST /script': {
        const patch = withoutNulls(body.patch ?? {});
        if (body.account === undefined) openai.script(patch);
        else chatgpt.script(body.account, patch);
        return {};
      }
      case 'POST /approve':
        chatgpt.approve(body.userCode ?? '', body.account ?? '');
        return {};
      case 'POST /reset-window':
        chatgpt.resetWindow(body.account ?? '');
        return {};
      case 'POST /reset':
        chatgpt.reset();
        openai.reset();
        return {};
      default:
        throw new Error(`There is no ${request.method} ${request.url}.`);
    }
  };
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    answer(request).then(
      (result) => sendJson(response, 200, result),
      (error: unknown) => sendJson(response, 400, { error: String(error) }),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function withoutNulls(patch: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(patch).map(([name, value]) => [name, value ?? undefined]));
}
