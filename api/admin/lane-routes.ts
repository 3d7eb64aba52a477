import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import { ApiError } from '../../core/errors.ts';
import type { SecretBox } from '../../core/secret-box.ts';
import type { LaneDirectory } from '../../lanes/policy/lane-directory.ts';
import { laneSecretPlace, type LaneDoc, type LaneStore } from '../../store/lanes.ts';
import type { RouteStore } from '../../store/routes.ts';
import { parseBody } from '../parse-body.ts';
import { aliasSchema, emptyLane, insertLane } from './account-routes.ts';
import { toLaneView } from './lane-view.ts';

/** Requests at a time at a provider, unless its owner says otherwise: far below the limits of a paid key. */
const DEFAULT_KEY_CONCURRENCY = 32;

const newKeyLaneSchema = z.object({
  alias: aliasSchema,
  baseUrl: z.url({ protocol: /^https?$/ }),
  apiKey: z.string().min(1),
  models: z.array(z.string().min(1)).min(1).default(['*']),
  allowPrivateAddresses: z.boolean().default(false),
  concurrency: z.number().int().min(1).max(512).default(DEFAULT_KEY_CONCURRENCY),
});

const routeSchema = z.object({
  lanes: z.array(z.object({ laneId: z.string(), model: z.string().min(1).optional() })).min(1),
});

interface LaneRouteDeps {
  readonly lanes: LaneStore;
  readonly routes: RouteStore;
  readonly directory: LaneDirectory;
  readonly secretBox: SecretBox;
  readonly clock: Clock;
  /** @throws ApiError when a provider's address is not allowed */
  readonly checkAddress: (baseUrl: string, allowPrivateAddresses: boolean) => Promise<void>;
}

/** `/admin/key-lanes`, `/admin/lanes` and `/admin/routes`. A provider's key goes in and never comes out. */
export function registerLaneRoutes(app: FastifyInstance, deps: LaneRouteDeps): void {
  const { lanes, routes, directory, secretBox, clock } = deps;

  app.post('/admin/key-lanes', async (request, reply) => {
    const { alias, baseUrl, apiKey, models, allowPrivateAddresses, concurrency } = parseBody(
      newKeyLaneSchema,
      request.body,
    );
    await deps.checkAddress(baseUrl, allowPrivateAddresses);
    const empty = emptyLane(alias, clock.now());
    const lane: LaneDoc = {
      ...empty,
      kind: 'key',
      state: 'ready',
      concurrency,
      models,
      baseUrl,
      sealedKey: secretBox.seal(apiKey, laneSecretPlace(empty._id)),
      allowPrivateAddresses,
    };
    await insertLane(lanes, lane);
    directory.refresh();
    return reply.code(201).send({ lane: toLaneView(lane) });
  });

  app.get('/admin/lanes', async () => ({ data: (await lanes.list()).map(toLaneView) }));

  app.delete<{ Params: { id: string } }>('/admin/lanes/:id', async (request) => {
    const { id } = request.params;
    if (!(await lanes.remove(id)))
      throw new ApiError('not_found', `There is no lane with id '${id}'. See GET /admin/lanes.`);
    directory.refresh();
    return { id, deleted: true };
  });

  // Names of models contain slashes at some providers: everything behind the prefix is the name.
  app.put<{ Params: { '*': string } }>('/admin/routes/*', async (request) => {
    const model = request.params['*'];
    const body = parseBody(routeSchema, request.body);
    const known = new Set((await lanes.list()).map((lane) => lane._id));
    const unknown = body.lanes.find((rung) => !known.has(rung.laneId));
    if (model === '' || unknown !== undefined) {
      throw new ApiError(
        'invalid_value',
        `There is no lane with id '${unknown?.laneId ?? ''}'. See GET /admin/lanes.`,
        { param: 'lanes' },
      );
    }
    const rungs = body.lanes.map((rung) => ({ laneId: rung.laneId, model: rung.model ?? model }));
    await routes.put({ _id: model, lanes: rungs, updatedAt: clock.now() });
    directory.refresh();
    return { route: { model, lanes: rungs } };
  });

  app.get('/admin/routes', async () => ({
    data: (await routes.list()).map(({ _id: model, lanes: rungs }) => ({ model, lanes: rungs })),
  }));

  app.delete<{ Params: { '*': string } }>('/admin/routes/*', async (request) => {
    const model = request.params['*'];
    if (!(await routes.remove(model)))
      throw new ApiError('not_found', `There is no route for '${model}'. See GET /admin/routes.`);
    directory.refresh();
    return { model, deleted: true };
  });
}
