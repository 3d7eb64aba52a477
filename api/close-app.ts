import type { FastifyInstance } from 'fastify';
import type { UnderWay } from './under-way.ts';

/** How often the connections are looked at while a server closes. */
const LOOK_EVERY_MS = 50;

/**
 * Counts the requests of a server whose answers are not over, streams that were taken over from Fastify included, and takes up the
 * handlers of all routes that are registered after this: they go on for a moment when their connection is cut.
 */
export function countRequests(app: FastifyInstance, underWay: Pick<UnderWay, 'add'>): () => number {
  let answers = 0;
  app.addHook('onRequest', async (_request, reply) => {
    // Its caller left while a hook before this one ran: it is over, and does not say so again.
    if (reply.raw.destroyed) return;
    answers += 1;
    reply.raw.once('close', () => (answers -= 1));
  });
  app.addHook('onRoute', (route) => {
    const { handler } = route;
    route.handler = function handle(request, reply) {
      const handling: unknown = handler.call(this, request, reply);
      if (handling instanceof Promise) underWay.add(handling);
      return handling;
    };
  });
  return () => answers;
}

/**
 * Closes a server: no new connections, requests under way are finished, and then connections that clients keep open for
 * their next request are cut, because nobody would close them otherwise. What is not finished within the limit, in milliseconds, is
 * cut as well.
 */
export async function closeApp(app: FastifyInstance, answers: () => number, finishMs: number): Promise<void> {
  const cutAt = performance.now() + finishMs;
  const timer = setInterval(() => {
    if (answers() === 0 || performance.now() >= cutAt) app.server.closeAllConnections();
  }, LOOK_EVERY_MS);
  try {
    await app.close();
  } finally {
    clearInterval(timer);
  }
}
