import { createInterface } from 'node:readline';
import { fastify, LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import type { Logger } from '../core/log.ts';
import type { ReplyHub } from '../core/reply-hub.ts';
import type { ReplyEvent } from '../core/reply.ts';

/**
 * The internal port, on which workers in other processes deliver answers: `POST /internal/replies/{requestId}` with the
 * request's one-time token and JSON lines as the body. 204 when all was taken, 410 as soon as nobody waits.
 */
export function createInternalApp(hub: ReplyHub, logger: Logger): FastifyInstance {
  const base: FastifyBaseLogger = logger;
  const app = fastify({
    loggerInstance: base,
    logController: new LogController({ disableRequestLogging: true }),
    requestTimeout: 0,
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/x-ndjson', (_request, payload, done) => done(null, payload));

  app.post<{ Params: { requestId: string } }>('/internal/replies/:requestId', async (request, reply) => {
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const sink = hub.connect(request.params.requestId, token);
    if (sink === null) return reply.code(410).header('connection', 'close').send();
    const payload = request.body as NodeJS.ReadableStream;
    const gone = new Promise<void>((resolve) => {
      if (sink.callerGone.aborted) resolve();
      sink.callerGone.addEventListener('abort', () => resolve(), { once: true });
    });
    let taken = true;
    const read = async (): Promise<void> => {
      // One line at a time: the caller's slowness holds the worker up, not this process's memory.
      for await (const line of createInterface({ input: payload, crlfDelay: Infinity })) {
        const event = JSON.parse(line) as ReplyEvent;
        taken = await sink.send(event);
        if (!taken || event.type !== 'chunk') return;
      }
    };
    await Promise.race([read(), gone]);
    return taken && !sink.callerGone.aborted
      ? reply.code(204).send()
      : reply.code(410).header('connection', 'close').send();
  });
  return app;
}
