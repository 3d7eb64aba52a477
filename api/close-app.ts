import type { FastifyInstance } from 'fastify';

/** How often the connections are looked at while a server closes. */
const LOOK_EVERY_MS = 50;

/** Counts the requests of a server whose answers are not over, streams that were taken over from Fastify included. */
export function countRequests(app: FastifyInstance): () => number {
  let underWay = 0;
  app.addHook('onRequest', async (_request, reply) => {
    underWay += 1;
    reply.raw.once('close', () => (underWay -= 1));
  });
  return () => underWay;
}

/**
 * Closes a server: no new connections, requests under way are finished, and then connections that clients keep open for
 * their next request are cut, because nobody would close them otherwise.
 */
export async function closeApp(app: FastifyInstance, underWay: () => number): Promise<void> {
  const timer = setInterval(() => {
    if (underWay() === 0) app.server.closeAllConnections();
  }, LOOK_EVERY_MS);
  try {
    await app.close();
  } finally {
    clearInterval(timer);
  }
}
