import type { Readable } from 'node:stream';
import { fastify, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import type { Logger } from '../core/log.ts';
import type { ReplyHub } from '../core/reply-hub.ts';
import { REPLY_PROCESS_HEADER, type ReplyEvent } from '../core/reply.ts';
import { splitLines } from '../core/wire/line-splitter.ts';
import { RequestLog } from './request-log.ts';

/** A whole answer is one line: JSON in JSON, so up to twice the longest answer of a lane. */
const MAX_EVENT_BYTES = 128 * 1024 * 1024;

/**
 * The internal port, on which workers in other processes deliver answers: `POST /internal/replies/{requestId}` with the
 * request's one-time token and JSON lines as the body. 204 when all was taken, 410 as soon as nobody waits, 421 when another api
 * process is meant: one address may stand for several, behind a balancer or on several machines. Every answer names this process.
 */
export function createInternalApp(hub: ReplyHub, logger: Logger): FastifyInstance {
  const base: FastifyBaseLogger = logger;
  const app = fastify({
    loggerInstance: base,
    logController: new RequestLog(),
    requestTimeout: 0,
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/x-ndjson', (_request, payload, done) => done(null, payload));

  app.post<{ Params: { requestId: string } }>('/internal/replies/:requestId', async (request, reply) => {
    reply.header(REPLY_PROCESS_HEADER, hub.processId);
    const meant = request.headers[REPLY_PROCESS_HEADER];
    if (meant !== undefined && meant !== hub.processId) return reply.code(421).header('connection', 'close').send();
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const sink = hub.connect(request.params.requestId, token);
    if (sink === null) return reply.code(410).header('connection', 'close').send();
    // The stream must outlive the reading of it: destroying a request ends its connection before the answer.
    const payload = (request.body as Readable).iterator({ destroyOnReturn: false });
    const gone = new Promise<void>((resolve) => {
      if (sink.callerGone.aborted) resolve();
      sink.callerGone.addEventListener('abort', () => resolve(), { once: true });
    });
    let taken = true;
    const read = async (): Promise<void> => {
      // One line at a time: the caller's slowness holds the worker up, not this process's memory.
      for await (const { bytes } of splitLines(payload, MAX_EVENT_BYTES)) {
        if (bytes === null) throw new Error('an event is longer than any answer');
        // The worker begins with an empty line: with it the headers leave, and it learns at once that nobody waits.
        if (bytes.length === 0) continue;
        const event = JSON.parse(bytes.toString('utf8')) as ReplyEvent;
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
