import type { FastifyInstance } from 'fastify';
import type { BatchStore } from '../../store/batches.ts';
import type { BatchProgress } from '../../core/wire/batch-progress.ts';
import { noSuchBatch } from '../batches/no-such-batch.ts';
import { createProgressReader, type ProgressReaderDeps } from '../batches/progress-reader.ts';
import { createEventStream } from '../completions/stream-reply.ts';
import { goneSignal } from '../gone-signal.ts';

/** So that proxies between do not cut a connection on which nothing changes. */
const PING_AFTER_MS = 15_000;

export interface BatchProgressDeps extends ProgressReaderDeps {
  readonly batches: Pick<BatchStore, 'find' | 'findOwned'>;
}

/**
 * `GET /v1/batches/{id}/progress`: how far a batch is, at the cost of one read. With `?stream=true`, or when it accepts
 * `text/event-stream`, as events up to the end of the batch.
 */
export function registerBatchProgressRoute(app: FastifyInstance, deps: BatchProgressDeps): void {
  const progress = createProgressReader(deps);
  // A stream goes on as long as its batch: without this a stop would wait for it.
  app.addHook('preClose', async () => progress.stop());

  app.get<{ Params: { readonly id: string }; Querystring: { readonly stream?: unknown } }>(
    '/v1/batches/:id/progress',
    { exposeHeadRoute: false },
    async (request, reply) => {
      const { params, query, caller, headers } = request;
      const gone = goneSignal(reply);
      const batch = await deps.batches.findOwned(caller.keyId, params.id);
      if (batch === null) throw noSuchBatch(params.id);
      const asEvents = query.stream === 'true' || (headers.accept ?? '').includes('text/event-stream');
      if (!asEvents) return progress.read(batch);
      const events = createEventStream(reply, { 'x-request-id': request.id }, PING_AFTER_MS);
      for await (const now of progress.watch(batch._id, gone)) {
        if (!(await events.send(toEvent(now), {}))) break;
      }
      events.end();
      return reply.hijack();
    },
  );
}

function toEvent(progress: BatchProgress) {
  return { name: 'progress', data: JSON.stringify(progress) };
}
