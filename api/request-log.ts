import { LogController, type FastifyReply, type FastifyRequest } from 'fastify';

/** No line for a request: the lane log has those. What no answer can tell is logged: a body that breaks behind its headers. */
export class RequestLog extends LogController {
  constructor() {
    super({ disableRequestLogging: true });
  }

  /** Who asked sees the connection cut, and not why. One who went away by himself is no matter for the log. */
  override streamError(error: Error & { readonly code?: unknown }, request: FastifyRequest, reply: FastifyReply): void {
    if (error.code === 'ERR_STREAM_PREMATURE_CLOSE') return;
    const { method, url } = request;
    reply.log.error({ err: error, method, url: url.split('?')[0] }, 'an answer was cut off');
  }
}
