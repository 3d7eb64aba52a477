import { once } from 'node:events';
import { fastify } from 'fastify';
import { expect, it } from 'vitest';
import { registerBatchQuoteRoutes } from '../../../api/routes/batch-quotes.ts';
import { createUnderWay } from '../../../api/under-way.ts';
import { countRequests } from '../../../api/close-app.ts';
import { systemClock } from '../../../core/clock.ts';
import { row } from '../../support/batch-world.ts';

it('does not read a file to its end for a caller who left while the key was looked up', async () => {
  const app = fastify({ forceCloseConnections: true });
  const underWay = createUnderWay();
  const leave = new AbortController();
  let pieces = 0;
  const asked: string[] = [];
  async function* read() {
    for (; pieces < 100; pieces++) yield Buffer.from(`${row(`line ${pieces}`)}\n`);
  }
  countRequests(app, underWay);
  app.addHook('preHandler', async (request, reply) => {
    request.caller = { keyId: 'key_1', admin: false, planLanes: true, metered: 'auto' } as typeof request.caller;
    leave.abort();
    await once(reply.raw, 'close');
  });
  registerBatchQuoteRoutes(app, {
    files: {
      findOwned: async (_ownerId: string, fileId: string) => {
        asked.push(fileId);
        return { purpose: 'batch', filename: 'a.jsonl', bodyId: 'body' };
      },
      bytes: { read },
    },
    clock: systemClock,
  } as unknown as Parameters<typeof registerBatchQuoteRoutes>[1]);
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  try {
    const quote = fetch(`${url}/v1/batches/quote`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ input_file_id: 'file-a', endpoint: '/v1/chat/completions' }),
      signal: leave.signal,
    });
    await expect(quote).rejects.toThrow();
    await expect.poll(() => asked).toEqual(['file-a']);
    await underWay.settled();
    expect(pieces).toBe(0);
  } finally {
    await app.close();
  }
});
