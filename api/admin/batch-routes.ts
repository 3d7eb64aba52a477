import type { FastifyInstance } from 'fastify';
import { toBatchObject } from '../../core/wire/batch-object.ts';
import { cancelStoredBatch, type CancelBatchDeps } from '../batches/cancel-batch.ts';
import { noSuchBatch } from '../batches/no-such-batch.ts';

/** `/admin/batches/{id}/cancel`: the owner ends a batch of any key early, as that key itself may. Safe to repeat. */
export function registerAdminBatchRoutes(app: FastifyInstance, deps: Omit<CancelBatchDeps, 'log'>): void {
  app.post<{ Params: { id: string } }>('/admin/batches/:id/cancel', async ({ params, log }) => {
    const found = await deps.batches.find(params.id);
    if (found === null) throw noSuchBatch(params.id);
    const batch = await cancelStoredBatch({ ...deps, log }, found);
    return { keyId: batch.ownerId, batch: toBatchObject(batch) };
  });
}
