import type { LaneKind, LaneState, PlannedLane } from '../../core/contracts/lane.ts';

/** What planning needs to know of a lane. */
export interface LaneView {
  readonly _id: string;
  readonly kind: LaneKind;
  readonly alias: string;
  readonly state: LaneState;
  readonly until: number | null;
  readonly rank: number;
  readonly concurrency: number;
  readonly models: readonly string[];
}

/** What planning needs to know of a route. */
export interface RouteView {
  readonly _id: string;
  readonly lanes: readonly { readonly laneId: string; readonly model: string }[];
}

/** What a key may use. */
export interface LanePermissions {
  readonly planLanes: boolean;
}

export type LanePlanResult =
  /** In order; lanes that are out for a while are part of it, with the time of their return. May be empty: nothing is open. */
  | {
      readonly known: true;
      readonly lanes: readonly PlannedLane[];
      readonly forbidden: boolean;
      readonly closed: readonly string[];
    }
  /** No route and no lane knows the model. */
  | { readonly known: false };

/**
 * Resolves a model into the ordered lanes that may serve it. A route of the owner's is taken as it is; without one, every
 * lane that lists the model serves it, plan lanes before key lanes, by rank. Lanes that are closed until somebody does
 * something (signing in, a new key, off) are left out and named in `closed`.
 */
export function planLanes(
  model: string,
  routes: readonly RouteView[],
  lanes: readonly LaneView[],
  permissions: LanePermissions,
  now: number,
): LanePlanResult {
  const route = routes.find((candidate) => candidate._id === model);
  const rungs = route === undefined ? implicitRungs(model, lanes) : explicitRungs(route, lanes);
  if (rungs.length === 0 && route === undefined) return { known: false };
  const permitted = rungs.filter(({ lane }) => lane.kind === 'key' || permissions.planLanes);
  const open: PlannedLane[] = [];
  const closed: string[] = [];
  for (const { lane, laneModel } of permitted) {
    const unavailableUntil = returnOf(lane, now);
    if (unavailableUntil === undefined) {
      closed.push(`${lane.alias} (${lane.state})`);
    } else {
      const { _id: laneId, kind, alias, concurrency } = lane;
      open.push({ laneId, kind, alias, model: laneModel, concurrency, unavailableUntil });
    }
  }
  return { known: true, lanes: open, forbidden: permitted.length === 0 && rungs.length > 0, closed };
}

interface Rung {
  readonly lane: LaneView;
  readonly laneModel: string;
}

function implicitRungs(model: string, lanes: readonly LaneView[]): Rung[] {
  return lanes
    .filter((lane) => lane.models.includes(model) || lane.models.includes('*'))
    .sort((left, right) => kindOrder(left.kind) - kindOrder(right.kind) || left.rank - right.rank)
    .map((lane) => ({ lane, laneModel: model }));
}

function explicitRungs(route: RouteView, lanes: readonly LaneView[]): Rung[] {
  return route.lanes.flatMap(({ laneId, model }) => {
    const lane = lanes.find((candidate) => candidate._id === laneId);
    return lane === undefined ? [] : [{ lane, laneModel: model }];
  });
}

/** Flat before metered. */
function kindOrder(kind: LaneKind): number {
  return kind === 'plan' ? 0 : 1;
}

/** 0 when the lane is open now, a later time while it is out, undefined while it is closed. */
export function returnOf(lane: Pick<LaneView, 'state' | 'until'>, now: number): number | undefined {
  switch (lane.state) {
    case 'ready':
      return 0;
    case 'cooling':
    case 'unhealthy':
      return lane.until !== null && lane.until > now ? lane.until : 0;
    case 'signing_in':
    case 'needs_login':
    case 'needs_key':
    case 'off':
      return undefined;
  }
}
