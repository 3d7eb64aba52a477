import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ApiError } from '../../core/errors.ts';
import { letPass } from '../form-errors.ts';
import { storeTrouble } from '../../store/store-trouble.ts';

/** Answers every error in OpenAI's shape; what is not ours is logged with its cause and told as a plain 500. */
export function registerErrorHandling(app: FastifyInstance): void {
  app.setNotFoundHandler((request, reply) => {
    sendError(reply, new ApiError('not_found', `There is no ${request.method} ${request.url.split('?')[0]} here.`));
  });
  app.setErrorHandler(answerError);
}

/** Answers an error that a route, a hook or Fastify itself has thrown. */
export function answerError(error: FastifyError | ApiError, request: FastifyRequest, reply: FastifyReply): void {
  const known = error instanceof ApiError ? error : fromFastify(error);
  if (known.errorName === 'request_too_large') letRestPass(request, reply);
  if (known.status >= 500) request.log.error({ err: error }, 'a request failed');
  sendError(reply, known);
}

/** A body above its limit is read and dropped up to twice this: what a client sends by mistake, and no more. */
const DROPPED_BYTES = 32 * 1024 * 1024;

/**
 * Fastify closes the connection under a client that is still sending, which then sees it break, knows nothing of the limit and
 * sends the whole again. It is read to its end instead, so that the answer is read as well.
 */
function letRestPass(request: FastifyRequest, reply: FastifyReply): void {
  reply.removeHeader('connection');
  letPass(request, DROPPED_BYTES);
}

/** Sends an error with the headers by which the official clients decide whether to try again. */
function sendError(reply: FastifyReply, error: ApiError): void {
  for (const [name, value] of Object.entries(retryHeaders(error))) reply.header(name, value);
  void reply.code(error.status).type('application/json').send(JSON.stringify(error.body));
}

/** `retry-after`, `retry-after-ms` and `x-should-retry` where the error knows them. */
export function retryHeaders(error: {
  readonly retryAfterMs?: number | undefined;
  readonly shouldRetry?: boolean | undefined;
}): Record<string, string> {
  const { retryAfterMs, shouldRetry } = error;
  return {
    ...(retryAfterMs === undefined
      ? {}
      : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)), 'retry-after-ms': String(Math.ceil(retryAfterMs)) }),
    ...(shouldRetry === undefined ? {} : { 'x-should-retry': String(shouldRetry) }),
  };
}

function fromFastify(error: FastifyError): ApiError {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new ApiError('request_too_large', 'The request body is larger than this route takes.');
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new ApiError('not_found', 'There is nothing of so long an id here.');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new ApiError('unsupported_media_type', 'Send the body as `Content-Type: application/json`.');
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return new ApiError('invalid_request', 'We could not parse the JSON body of your request.');
    default:
      return fromStore(error) ?? fromElsewhere(error);
  }
}

/** A client that tries again after this long finds most servers that were restarted. */
const STORE_IS_BACK_AFTER_MS = 2_000;

/** What its owner can do something about is told as it is; everything that was begun is taken back, here or by housekeeping. */
function fromStore(cause: Error): ApiError | null {
  switch (storeTrouble(cause)) {
    case 'full':
      return new ApiError(
        'insufficient_storage',
        'The disk of the database is full: nothing of this request was kept.',
        {
          cause,
        },
      );
    case 'away':
      return new ApiError('server_is_overloaded', 'The database does not answer. Try again in a moment.', {
        cause,
        retryAfterMs: STORE_IS_BACK_AFTER_MS,
      });
    case null:
      return null;
  }
}

function fromElsewhere(error: FastifyError): ApiError {
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    return new ApiError('invalid_request', 'The request is not well formed.', { cause: error });
  }
  return new ApiError('internal', 'The server had an error while processing your request. See its log.', {
    cause: error,
  });
}
