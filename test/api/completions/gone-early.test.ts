import { once } from 'node:events';
import { fastify } from 'fastify';
import { expect, it } from 'vitest';
import { registerCompletionRoute, type CompletionDeps } from '../../../api/completions/completion-route.ts';
import { CallerGone } from '../../../api/completions/run-completion.ts';
import { systemClock } from '../../../core/clock.ts';
import { createLaneDirectory } from '../../../lanes/policy/lane-directory.ts';
import { createLaneLoad } from '../../../lanes/policy/lane-load.ts';
import { plantLaneDoc } from '../../support/planted.ts';

it('knows of a caller who left while the key was looked up', async () => {
  const app = fastify({ forceCloseConnections: true });
  const signals: boolean[] = [];
  const leave = new AbortController();
  app.addHook('preHandler', async (request, reply) => {
    request.caller = { keyId: 'key_1', admin: false, planLanes: true, metered: 'auto' } as typeof request.caller;
    leave.abort();
    await once(reply.raw, 'close');
  });
  const run = async ({ signal }: { signal: AbortSignal }): Promise<never> => {
    signals.push(signal.aborted);
    throw new CallerGone();
  };
  const deps: CompletionDeps = {
    runCompletion: run,
    runDirect: run,
    runOnce: () => Promise.reject(new Error('no key was sent')),
    directory: createLaneDirectory({
      listLanes: async () => [plantLaneDoc('k')],
      listRoutes: async () => [],
      clock: systemClock,
    }),
    load: createLaneLoad(),
    clock: systemClock,
    pingAfterMs: 15_000,
  };
  const body = { model: 'm' };
  registerCompletionRoute(app, deps, { path: '/ask', operation: 'chat', parse: () => body, stream: undefined });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  try {
    const asked = fetch(`${url}/ask`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
      signal: leave.signal,
    });
    await expect(asked).rejects.toThrow();
    await expect.poll(() => signals).toEqual([true]);
  } finally {
    await app.close();
  }
});
