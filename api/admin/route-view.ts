import { z } from 'zod';
import { METERED_CONSENTS } from '../../core/contracts/metered-consent.ts';
import { ApiError } from '../../core/errors.ts';
import type { LaneDoc } from '../../store/lanes.ts';
import type { RouteDoc } from '../../store/routes.ts';

export const routeSchema = z.object({
  lanes: z
    .array(
      z.object({
        laneId: z.string(),
        model: z.string().min(1).optional(),
        rung: z.number().int().min(1).max(1_000).optional(),
        weight: z.number().int().min(1).max(1_000).optional(),
      }),
    )
    .min(1),
  direct: z.boolean().optional(),
  metered: z.enum(METERED_CONSENTS).optional(),
});

/** @throws ApiError for a lane that is not there, and for a wish that its lanes can't fulfil */
export function checkRoute(model: string, wish: z.infer<typeof routeSchema>, lanes: readonly LaneDoc[]): void {
  const known = new Map(lanes.map((lane) => [lane._id, lane]));
  const unknown = wish.lanes.find((rung) => !known.has(rung.laneId));
  if (model === '' || unknown !== undefined) {
    throw new ApiError('invalid_value', `There is no lane with id '${unknown?.laneId ?? ''}'. See GET /admin/lanes.`, {
      param: 'lanes',
    });
  }
  const rungs = wish.lanes.flatMap(({ rung }) => rung ?? []);
  const isUneven = rungs.length > 0 && rungs.length < wish.lanes.length;
  if (isUneven || rungs.some((rung, index) => rung < (rungs[index - 1] ?? rung))) {
    throw new ApiError(
      'invalid_value',
      "Give every lane of the route a 'rung' or none, in rising order: lanes of the same number share.",
      { param: 'lanes' },
    );
  }
  const places = wish.lanes.map(({ laneId, rung }, index) => `${laneId} ${rung ?? `alone ${index}`}`);
  if (new Set(places).size < places.length) {
    throw new ApiError('invalid_value', 'A lane is on the same rung twice.', { param: 'lanes' });
  }
  if (wish.direct === true && wish.lanes.some((rung) => known.get(rung.laneId)?.kind === 'plan')) {
    throw new ApiError('invalid_value', 'A route with a plan lane runs as a workflow: only key lanes serve directly.', {
      param: 'direct',
    });
  }
}

/** A route as the admin routes show it; `direct` and `metered` are null where the route says nothing. */
export function toRouteView({ _id: model, lanes, direct, metered }: RouteDoc) {
  return { model, lanes, direct: direct ?? null, metered: metered ?? null };
}
