import { steadyClock, type Clock } from '../../core/clock.ts';
import { namesOf } from './route-rungs.ts';
import type { ShareKey } from './share-order.ts';
import { planLanes, type LanePermissions, type LanePlanResult, type LaneView, type RouteView } from './plan-lanes.ts';

/** Answers which lanes may serve a model, from a picture of lanes and routes that is at most a moment old. */
export interface LaneDirectory {
  /** @param shareKey by what lanes that share are put in order; called only where some do. Without it: as they are listed */
  plan(model: string, permissions: LanePermissions, shareKey?: () => ShareKey): Promise<LanePlanResult>;
  /** All model names that a key may ask for: of routes, and of lanes that list them. */
  models(permissions: LanePermissions): Promise<string[]>;
  /** Forgets the picture, after a change that this process made itself. */
  refresh(): void;
}

/**
 * How old the picture may be. A stale one costs a short detour (the lane itself knows that it is cooling and asks nobody),
 * a fresh one for each request costs two reads.
 */
const PICTURE_MAY_BE_OLD_MS = 250;

interface LaneDirectoryDeps {
  readonly listLanes: () => Promise<readonly LaneView[]>;
  readonly listRoutes: () => Promise<readonly RouteView[]>;
  readonly clock: Clock;
  /** By which the picture grows old. */
  readonly ages?: Clock;
  /** Requests under way on a lane, as far as this process knows; 0 where it knows of none. */
  readonly inFlight?: (laneId: string) => number;
  /** Called with the lane on which a request begins that is planned to share, before the next one is planned. */
  readonly onPlanned?: (laneId: string) => void;
}

export function createLaneDirectory({
  listLanes,
  listRoutes,
  clock,
  ages = steadyClock,
  inFlight = () => 0,
  onPlanned,
}: LaneDirectoryDeps): LaneDirectory {
  let picture: Promise<{ lanes: readonly LaneView[]; routes: readonly RouteView[] }> | undefined;
  let takenAt = 0;
  const look = async (): Promise<{ lanes: readonly LaneView[]; routes: readonly RouteView[] }> => {
    if (picture === undefined || ages.now() - takenAt > PICTURE_MAY_BE_OLD_MS) {
      takenAt = ages.now();
      const taken = Promise.all([listLanes(), listRoutes()]).then(([lanes, routes]) => ({ lanes, routes }));
      picture = taken;
      taken.catch(() => {
        if (picture === taken) picture = undefined;
      });
    }
    return picture;
  };
  return {
    async plan(model, permissions, shareKey) {
      const { lanes, routes } = await look();
      const sharing = shareKey === undefined ? undefined : { key: shareKey, inFlight };
      const now = clock.now();
      const plan = planLanes(model, routes, lanes, permissions, now, sharing);
      if (sharing !== undefined && plan.known) {
        const first = plan.lanes.find(({ unavailableUntil }) => unavailableUntil <= now);
        if (first !== undefined) onPlanned?.(first.laneId);
      }
      return plan;
    },
    async models(permissions) {
      const { lanes, routes } = await look();
      const listed = lanes.filter((lane) => lane.kind === 'key' || permissions.planLanes).flatMap(namesOf);
      const names = new Set([...routes.map((route) => route._id), ...listed]);
      return [...names].sort();
    },
    refresh: () => (picture = undefined),
  };
}
