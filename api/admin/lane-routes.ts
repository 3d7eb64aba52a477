import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../core/clock.ts';
import { ApiError } from '../../core/errors.ts';
import type { SecretBox } from '../../core/secret-box.ts';
import type { LaneDirectory } from '../../lanes/policy/lane-directory.ts';
import type { MarkSilent } from '../../lanes/policy/silent-lanes.ts';
import type { LaneStore } from '../../store/lanes.ts';
import type { ProviderRunStore } from '../../store/provider-runs.ts';
import type { RouteDoc, RouteStore } from '../../store/routes.ts';
import { parseBody } from '../parse-body.ts';
import { insertLane } from './account-routes.ts';
import { registerKeyLaneCareRoutes } from './key-lane-care-routes.ts';
import { toLaneView } from './lane-view.ts';
import { newKeyLane } from './new-key-lane.ts';
import { checkRoute, routeSchema, toRouteView } from './route-view.ts';

interface LaneRouteDeps {
  readonly lanes: LaneStore;
  readonly routes: RouteStore;
  readonly providerRuns: Pick<ProviderRunStore, 'listOpenOnLane'>;
  readonly directory: LaneDirectory;
  readonly secretBox: SecretBox;
  readonly clock: Clock;
  /** @throws ApiError when a provider's address is not allowed */
  readonly checkAddress: (baseUrl: string, allowPrivateAddresses: boolean) => Promise<void>;
  readonly markSilent: MarkSilent;
}

/** `/admin/key-lanes`, `/admin/lanes` and `/admin/routes`. A provider's key goes in and never comes out. */
export function registerLaneRoutes(app: FastifyInstance, deps: LaneRouteDeps): void {
  const { lanes, routes, directory, secretBox, clock, markSilent } = deps;
  registerKeyLaneCareRoutes(app, deps);

  app.post('/admin/key-lanes', async (request, reply) => {
    const lane = await newKeyLane({ secretBox, now: clock.now(), checkAddress: deps.checkAddress }, request.body);
    await insertLane(lanes, lane);
    directory.refresh();
    return reply.code(201).send({ lane: toLaneView(lane) });
  });

  app.get('/admin/lanes', async () => ({ data: (await lanes.list()).map((lane) => toLaneView(markSilent(lane))) }));

  app.delete<{ Params: { id: string } }>('/admin/lanes/:id', async (request) => {
    const { id } = request.params;
    // An account has a sign-in and a home, which must not be left behind.
    if ((await lanes.find(id))?.kind === 'plan') {
      throw new ApiError('conflict', `Lane '${id}' is an account. Remove it with DELETE /admin/accounts/${id}.`);
    }
    await refuseWhileInUse(deps.providerRuns, id);
    // First: a removal that is cut off behind the lane's end could not be repeated.
    await routes.leave(id);
    if (!(await lanes.remove(id)))
      throw new ApiError('not_found', `There is no lane with id '${id}'. See GET /admin/lanes.`);
    directory.refresh();
    return { id, deleted: true };
  });

  // Names of models contain slashes at some providers: everything behind the prefix is the name.
  app.put<{ Params: { '*': string } }>('/admin/routes/*', async (request) => {
    const model = request.params['*'];
    const body = parseBody(routeSchema, request.body);
    checkRoute(model, body, await lanes.list());
    const { direct, metered } = body;
    const route: RouteDoc = {
      _id: model,
      lanes: body.lanes.map(({ laneId, model: name = model, rung, weight }) => ({
        laneId,
        model: name,
        ...(rung === undefined ? {} : { rung }),
        ...(weight === undefined ? {} : { weight }),
      })),
      ...(direct === undefined ? {} : { direct }),
      ...(metered === undefined ? {} : { metered }),
      updatedAt: clock.now(),
    };
    await routes.put(route);
    directory.refresh();
    return { route: toRouteView(route) };
  });

  app.get('/admin/routes', async () => ({ data: (await routes.list()).map(toRouteView) }));

  app.delete<{ Params: { '*': string } }>('/admin/routes/*', async (request) => {
    const model = request.params['*'];
    if (!(await routes.remove(model)))
      throw new ApiError('not_found', `There is no route for '${model}'. See GET /admin/routes.`);
    directory.refresh();
    return { model, deleted: true };
  });
}

/** Without its lane nobody could take back what is there, nor take in what is paid. @throws ApiError conflict */
async function refuseWhileInUse(providerRuns: LaneRouteDeps['providerRuns'], laneId: string): Promise<void> {
  const runs = await providerRuns.listOpenOnLane(laneId);
  if (runs.length === 0) return;
  const batches = runs.map(({ _id }) => _id).join(', ');
  const last = new Date(Math.max(...runs.map(({ providerRun }) => providerRun.takenBackAt))).toISOString();
  throw new ApiError(
    'conflict',
    `The provider of lane '${laneId}' has lines of ${batches} in its Batch API. Pause the lane, and remove it when they are back: they are taken back at ${last} at the latest, or when their batch is cancelled.`,
  );
}
