import { createHash } from 'node:crypto';
import { fastify, type FastifyBaseLogger, type FastifyInstance, type FastifyRequest } from 'fastify';
import { ApiError } from '../core/errors.ts';
import { newRequestId } from '../core/ids.ts';
import type { Logger } from '../core/log.ts';
import type { SecretBox } from '../core/secret-box.ts';
import { MAX_JSON_VALUES, parseBoundedJson } from '../core/wire/json-limits.ts';
import type { KeyStore } from '../store/keys.ts';
import { registerAuthentication, type Access } from './plugins/authenticate.ts';
import { answerError, registerErrorHandling } from './plugins/handle-errors.ts';
import { answerUnparsed, refuseOddRequests, refuseWhileClosing } from './plugins/refuse-early.ts';
import { RequestLog } from './request-log.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** SHA-256 of a JSON body's bytes, as hex, where the request has an idempotency key. */
    bodyHash?: string;
  }
}

/** Headers must be there soon after the connection is: slow ones are cut off. */
const HEADERS_TIMEOUT_MS = 20_000;

/** A body of 64 MiB over a slow line takes minutes; uploads have their own bounds. */
const REQUEST_TIMEOUT_MS = 30 * 60_000;

/** Routes that take more say so themselves. */
const DEFAULT_BODY_LIMIT_BYTES = 1024 * 1024;

interface CreateAppDeps {
  readonly keys: KeyStore;
  readonly secretBox: SecretBox;
  readonly log: Logger;
  readonly defaultAccess: Access;
}

/** A Fastify server with what all of ours share: ids, bounded JSON, authentication, errors in OpenAI's shape. It does not listen yet. */
export function createApp({ keys, secretBox, log, defaultAccess }: CreateAppDeps): FastifyInstance {
  const base: FastifyBaseLogger = log;
  const app = fastify({
    loggerInstance: base,
    logController: new RequestLog(),
    genReqId: newRequestId,
    bodyLimit: DEFAULT_BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // A request without a Host is refused by a hook: Node's own answer has no body.
    http: { headersTimeout: HEADERS_TIMEOUT_MS, requireHostHeader: false },
    routerOptions: { maxParamLength: 500 },
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    clientErrorHandler: answerUnparsed,
    // A URL that can't be decoded, or has too long a part, matches no route: no hook runs and nothing is looked up.
    frameworkErrors: (error, request, reply) => {
      reply.header('x-request-id', request.id);
      reply.header('openai-processing-ms', '0');
      answerError(error, request, reply);
    },
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
  });
  app.addHook('onSend', async (_request, reply) => {
    reply.header('openai-processing-ms', String(Math.round(reply.elapsedTime)));
  });
  refuseWhileClosing(app);
  refuseOddRequests(app);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    async (request: FastifyRequest, bytes: Buffer) => {
      // Of the bytes as they came: the same request sent again has the same.
      if (request.headers['idempotency-key'] !== undefined) {
        request.bodyHash = createHash('sha256').update(bytes).digest('hex');
      }
      return parseJson(bytes);
    },
  );
  app.decorateRequest('bodyHash');
  registerErrorHandling(app);
  registerAuthentication(app, { keys, secretBox, defaultAccess });
  app.addHook('onRequest', refusePackedBody);
  return app;
}

/** A packed body may unfold to any size: none is unpacked here, and its bytes mean nothing to those who read bodies. */
async function refusePackedBody({ headers }: FastifyRequest): Promise<void> {
  const encoding = headers['content-encoding'];
  if (encoding === undefined || encoding.toLowerCase() === 'identity') return;
  throw new ApiError('unsupported_media_type', 'Send the body as it is: Content-Encoding is not supported.', {
    param: 'content-encoding',
  });
}

function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  const parsed = parseBoundedJson(bytes);
  if (parsed.ok) return parsed.value;
  switch (parsed.reason) {
    case 'not_json':
      throw new ApiError('invalid_request', 'We could not parse the JSON body of your request.');
    case 'not_utf8':
      throw new ApiError('invalid_request', 'The body is not valid UTF-8.');
    case 'too_deep':
      throw new ApiError('invalid_request', 'The JSON body nests more than 64 levels deep.');
    case 'too_wide':
      throw new ApiError('invalid_request', `The JSON body has more than ${MAX_JSON_VALUES} values.`);
    case 'number_too_large':
      throw new ApiError('invalid_request', 'The JSON body has a number that is too large.');
    case 'forbidden_key':
      throw new ApiError('invalid_request', `The JSON body has the key '${parsed.key}', which is not allowed.`);
  }
}
