import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Attempt, type Counts, createAttemptLog } from '../attempt-log.ts';
import { readBody, sendJson } from '../http-exchange.ts';
import { refuse, unknownKeyRefusal, unknownModelRefusal } from './api-errors.ts';
import { createBatchesRoute, type BatchesRoute } from './batches-route.ts';
import { createChatRoute } from './chat-route.ts';
import { embed } from './embeddings.ts';
import { createResponsesRoute } from './responses-route.ts';
import { createScriptState, type OpenaiScript } from './script.ts';

export interface OpenaiApiOptions extends OpenaiScript {
  /** The key that callers must show. Default `sk-stand-in`. */
  readonly key?: string;
  /** Whether `attempts()` keeps what was asked; false for load runs. Default true. */
  readonly keepBodies?: boolean;
}

/** A stand-in for the OpenAI API, for key lanes and as the yardstick of benchmarks. */
export interface OpenaiApi {
  /** `http://127.0.0.1:<port>/v1` */
  readonly url: string;
  readonly key: string;
  /** Changes what it does from the next call on. */
  script(patch: OpenaiScript): void;
  attempts(): readonly Attempt[];
  counts(): Counts;
  /** Its files and batches, as it sees them. */
  readonly batches: Pick<BatchesRoute, 'made' | 'files'>;
  /** Forgets the attempts; the script stays. */
  reset(): void;
  close(): Promise<void>;
}

const LISTED_MODELS = ['gpt-5.5', 'text-embedding-3-small'];

/** Starts the stand-in on a free port of the loopback. */
export async function startOpenaiApi(options: OpenaiApiOptions = {}): Promise<OpenaiApi> {
  const { key = 'sk-stand-in', keepBodies = true, ...initial } = options;
  const script = createScriptState(initial);
  const log = createAttemptLog({ keepBodies });
  const idPrefix = randomBytes(6).toString('hex');
  const answerChat = createChatRoute({ script, log, key, idPrefix });
  const answerResponses = createResponsesRoute({ script, log, key, idPrefix });
  const batches = createBatchesRoute(script, key, () => ownUrl);
  const authorization = `Bearer ${key}`;
  let ownUrl = '';
  let requests = 0;

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    requests += 1;
    const headers = { 'x-request-id': `req_${idPrefix}${requests.toString(16)}`, 'openai-processing-ms': '1' };
    const sendRefusal = ({ status, body }: ReturnType<typeof refuse>): void =>
      sendJson(response, status, body, headers);
    const raw = request.method === 'POST' ? await readBody(request) : undefined;
    if (request.headers.authorization !== authorization) return sendRefusal(unknownKeyRefusal());
    const url = request.url ?? '';
    if (await batches.handle(request, response, raw)) return;
    if (raw === undefined) {
      const models = script.current().models ?? LISTED_MODELS;
      if (url === '/v1/models')
        return sendJson(response, 200, { object: 'list', data: models.map(modelEntry) }, headers);
      const model = url.startsWith('/v1/models/') ? decodeURIComponent(url.slice(11)) : undefined;
      if (model === undefined) return sendRefusal(unknownPathRefusal(request));
      if (!models.includes(model)) return sendRefusal(unknownModelRefusal(model));
      return sendJson(response, 200, modelEntry(model), headers);
    }
    const body = parseBody(raw);
    if (body === undefined) {
      return sendRefusal(
        refuse(400, 'invalid_request_error', null, 'We could not parse the JSON body of your request.'),
      );
    }
    if (script.current().missing?.includes(url)) return sendRefusal(unknownPathRefusal(request));
    if (url === '/v1/chat/completions') return answerChat(body, response, headers);
    if (url === '/v1/responses') return answerResponses(body, response, headers);
    if (url === '/v1/embeddings') return sendJson(response, 200, embed(body), headers);
    sendRefusal(unknownPathRefusal(request));
  };

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      if (response.headersSent || response.destroyed) response.destroy();
      else sendJson(response, 500, refuse(500, 'server_error', null, String(error)).body);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });

  ownUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  return {
    url: ownUrl,
    key,
    batches,
    script: (patch) => script.patch(patch),
    attempts: () => log.attempts(),
    counts: () => log.counts(),
    reset: () => log.reset(),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function parseBody(raw: Buffer): object | undefined {
  try {
    const body: unknown = JSON.parse(raw.toString());
    return typeof body === 'object' && body !== null ? body : undefined;
  } catch {
    return undefined;
  }
}

function modelEntry(id: string): object {
  return { id, object: 'model', created: 1_700_000_000, owned_by: 'openai' };
}

function unknownPathRefusal(request: IncomingMessage): ReturnType<typeof refuse> {
  return refuse(404, 'invalid_request_error', null, `Unknown request URL: ${request.method} ${request.url}.`);
}
