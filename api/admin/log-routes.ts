import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { LaneLogStore } from '../../store/lane-log.ts';
import { parseBody } from '../parse-body.ts';

const querySchema = z.object({
  limit: z.coerce.number().int().min(1).max(1_000).default(50),
  /** Unix milliseconds: entries before this time. */
  before: z.coerce.number().int().optional(),
  lane: z.string().optional(),
  batch: z.string().optional(),
  /** A key's public id. */
  key: z.string().optional(),
  /** The id of one entry: that of a request, as `x-request-id` has it, or of a line. */
  id: z.string().optional(),
});

/** `/admin/logs`: the lane log, newest first. `/admin/batches/{id}/lanes`: a batch's lines and cost by lane. */
export function registerLogRoutes(app: FastifyInstance, { laneLog }: { laneLog: LaneLogStore }): void {
  app.get('/admin/logs', async (request) => {
    const { limit, before, lane, batch, key, id } = parseBody(querySchema, request.query);
    const entries = await laneLog.list({
      limit,
      ...(before === undefined ? {} : { before }),
      ...(lane === undefined ? {} : { laneId: lane }),
      ...(batch === undefined ? {} : { batchId: batch }),
      ...(key === undefined ? {} : { keyId: key }),
      ...(id === undefined ? {} : { id }),
    });
    return { data: entries.map(({ _id, ...entry }) => ({ id: _id, ...entry })) };
  });

  app.get<{ Params: { id: string } }>('/admin/batches/:id/lanes', async (request) => ({
    data: await laneLog.totalsOfBatch(request.params.id),
  }));
}
