import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { BATCH_PRIORITIES, BATCH_SPILLS, type BatchControl } from '../../core/contracts/batch-control.ts';
import { METERED_CONSENTS } from '../../core/contracts/metered-consent.ts';
import { ApiError } from '../../core/errors.ts';
import { readUsd } from '../../core/wire/batch-wishes.ts';
import type { BatchControlStore } from '../../store/batch-control.ts';
import type { BatchSpendStore } from '../../store/batch-spend.ts';
import type { BatchDoc, BatchStore } from '../../store/batches.ts';
import { toControlView, type ControlView } from '../batches/control-view.ts';
import { noSuchBatch } from '../batches/no-such-batch.ts';
import { tellControl, type TellControlDeps } from '../batches/tell-control.ts';
import { parseBody } from '../parse-body.ts';

export interface BatchControlRouteDeps extends TellControlDeps {
  readonly batches: Pick<BatchStore, 'findOwned'>;
  readonly batchControl: Pick<BatchControlStore, 'change' | 'markTold'>;
  readonly batchSpend: Pick<BatchSpendStore, 'setMax'>;
}

const controlSchema = z.strictObject({
  priority: z.enum(BATCH_PRIORITIES).optional(),
  spill: z.enum(BATCH_SPILLS).optional(),
  metered: z.enum(METERED_CONSENTS).optional(),
  /** null takes the limit away. */
  max_metered_usd: z.string().nullable().optional(),
});

interface IdParams {
  readonly Params: { readonly id: string };
}

/**
 * `/v1/batches/{id}/pause`, `/resume` and `/control`: how a batch runs from now on. What is stored is the truth; the running
 * workflow is woken to read it, by the sweep if not by us, and sends nothing out by the old rules once it has.
 */
export function registerBatchControlRoutes(app: FastifyInstance, deps: BatchControlRouteDeps): void {
  const { batches, batchControl, batchSpend } = deps;

  const findOwned = async (keyId: string, id: string): Promise<BatchDoc> => {
    const batch = await batches.findOwned(keyId, id);
    if (batch === null) throw noSuchBatch(id);
    return batch;
  };

  /** @throws ApiError conflict when the batch is over, or ends just now */
  const change = async (
    verb: string,
    { params: { id }, caller: { keyId }, log }: Pick<FastifyRequest<IdParams>, 'params' | 'caller' | 'log'>,
    wish: Partial<BatchControl>,
    maxMicros?: number | null,
  ): Promise<ControlView> => {
    await findOwned(keyId, id);
    let changed = await batchControl.change(id, wish);
    if (changed !== null && maxMicros !== undefined) changed = await batchSpend.setMax(id, maxMicros);
    if (changed === null) {
      const { status } = await findOwned(keyId, id);
      throw new ApiError('conflict', `Cannot ${verb} a batch with status '${status}'.`);
    }
    await tellControl(deps, changed).catch((error: unknown) => {
      log.warn(
        { err: error, batchId: id },
        'a batch is to run another way, and its workflow could not be told; the sweep does it',
      );
    });
    return toControlView(changed);
  };

  app.post<IdParams>('/v1/batches/:id/pause', (request) => change('pause', request, { paused: true }));

  app.post<IdParams>('/v1/batches/:id/resume', (request) => change('resume', request, { paused: false }));

  app.get<IdParams>('/v1/batches/:id/control', async ({ params, caller }) =>
    toControlView(await findOwned(caller.keyId, params.id)),
  );

  app.post<IdParams>('/v1/batches/:id/control', (request) => {
    const { max_metered_usd: max, ...given } = parseBody(controlSchema, request.body);
    const wish = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    if (max === undefined && Object.keys(wish).length === 0) {
      throw new ApiError(
        'missing_required_parameter',
        "Nothing to change: give 'priority', 'spill', 'metered' or 'max_metered_usd'.",
      );
    }
    const maxMicros = typeof max === 'string' ? readUsd(max, 'max_metered_usd') : max;
    return change('change', request, wish, maxMicros);
  });
}
