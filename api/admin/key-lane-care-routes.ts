import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../core/clock.ts';
import type { LaneHold } from '../../core/contracts/lane.ts';
import { ApiError } from '../../core/errors.ts';
import type { SecretBox } from '../../core/secret-box.ts';
import type { LaneDirectory } from '../../lanes/policy/lane-directory.ts';
import { isDuplicateKey } from '../../store/database.ts';
import type { LaneDoc, LaneStore } from '../../store/lanes.ts';
import { aliasTaken } from './account-routes.ts';
import { editKeyLane } from './edit-key-lane.ts';
import { toLaneView } from './lane-view.ts';

interface KeyLaneCareDeps {
  readonly lanes: LaneStore;
  readonly directory: Pick<LaneDirectory, 'refresh'>;
  readonly secretBox: SecretBox;
  readonly clock: Clock;
  /** @throws ApiError when a provider's address is not allowed */
  readonly checkAddress: (baseUrl: string, allowPrivateAddresses: boolean) => Promise<void>;
}

type ById = { Params: { id: string } };

/** `/admin/key-lanes/{id}/…`: what an owner does with a key lane that is there. Running processes take it up by themselves. */
export function registerKeyLaneCareRoutes(app: FastifyInstance, deps: KeyLaneCareDeps): void {
  const { lanes, directory, clock } = deps;

  app.patch<ById>('/admin/key-lanes/:id', async (request) => {
    const lane = await findKeyLane(lanes, request.params.id);
    const { edit, isRenewed } = await editKeyLane(deps, lane, request.body);
    const edited = await store(lanes, lane._id, edit);
    // What was learnt with the old key or at the old address (refused, used up, broken) is not known of the new one.
    const opened =
      isRenewed && edited.state !== 'ready' ? await lanes.transition(lane._id, 'ready', clock.now()) : null;
    directory.refresh();
    return { lane: toLaneView(opened ?? edited) };
  });

  const hold = (path: string, wanted: LaneHold): void =>
    void app.post<ById>(`/admin/key-lanes/:id/${path}`, async (request) => {
      const { _id: id } = await findKeyLane(lanes, request.params.id);
      const lane = await lanes.setHold(id, wanted);
      if (lane === null) throw unknown(id);
      directory.refresh();
      return { lane: toLaneView(lane) };
    });
  hold('pause', 'paused');
  hold('resume', 'none');
}

/** @throws ApiError when the alias is taken, or the lane was removed meanwhile */
async function store(lanes: LaneStore, id: string, edit: Parameters<LaneStore['editKeyLane']>[1]): Promise<LaneDoc> {
  try {
    const edited = await lanes.editKeyLane(id, edit);
    if (edited === null) throw unknown(id);
    return edited;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    throw aliasTaken(edit.alias ?? '');
  }
}

/** @throws ApiError when there is no such lane, or it is an account */
async function findKeyLane(lanes: LaneStore, id: string): Promise<LaneDoc> {
  const lane = await lanes.find(id);
  if (lane === null) throw unknown(id);
  if (lane.kind === 'key') return lane;
  throw new ApiError('conflict', `Lane '${lane.alias}' is an account. See /admin/accounts/${id}.`);
}

function unknown(id: string): ApiError {
  return new ApiError('not_found', `There is no lane with id '${id}'. See GET /admin/lanes.`);
}
