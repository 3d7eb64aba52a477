import type { FastifyInstance } from 'fastify';

export interface Readiness {
  /** Each check rejects, or takes too long, when its part is away. */
  readonly checks: Readonly<Record<string, () => Promise<unknown>>>;
  /** True once the process is stopping: load balancers look elsewhere while it finishes what it has. */
  readonly stopping: () => boolean;
}

/** A part that does not answer in this time is taken as away. */
const CHECK_LIMIT_MS = 2_000;

/** `/livez`: the process runs. `/readyz`: the parts that it needs answer. Neither needs a key, neither tells more. */
export function registerHealthRoutes(app: FastifyInstance, { checks, stopping }: Readiness): void {
  app.get('/livez', { config: { access: 'public' }, logLevel: 'silent' }, () => ({ status: 'ok' }));

  app.get('/readyz', { config: { access: 'public' }, logLevel: 'silent' }, async (_request, reply) => {
    const results = await Promise.all(
      Object.entries(checks).map(
        async ([name, check]) => [name, (await answersInTime(check)) ? 'ok' : 'away'] as const,
      ),
    );
    const ready = !stopping() && results.every(([, state]) => state === 'ok');
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ok' : 'not ready', ...Object.fromEntries(results) });
  });
}

async function answersInTime(check: () => Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), CHECK_LIMIT_MS);
  });
  try {
    return await Promise.race([check().then(() => true), limit]);
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}
