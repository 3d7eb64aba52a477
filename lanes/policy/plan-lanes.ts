import type { LaneHold, LaneState, PlannedLane } from '../../core/contracts/lane.ts';
import { mayBeMetered, type MeteredConsent } from '../../core/contracts/metered-consent.ts';
import { rungsOf, type RungLane, type RungRoute } from './route-rungs.ts';
import { reservedUntil, type ReserveView } from './weekly-reserve.ts';

/** What planning needs to know of a lane. */
export interface LaneView extends ReserveView, RungLane {
  readonly alias: string;
  readonly state: LaneState;
  readonly hold: LaneHold;
  readonly until: number | null;
  readonly concurrency: number;
}

/** What planning needs to know of a route. */
export interface RouteView extends RungRoute {
  /** False: requests run as workflows although there are key lanes only. */
  readonly direct?: boolean;
  readonly metered?: MeteredConsent;
}

/** What a key may use. */
export interface LanePermissions {
  readonly planLanes: boolean;
  /** Batch lines leave each plan its weekly reserve. Interactive when absent. */
  readonly purpose?: 'interactive' | 'batch';
  /** What the key's owner says of metered spend; `auto` when absent. */
  readonly metered?: MeteredConsent;
  /** True when the request itself allows metered spend. */
  readonly allowMetered?: boolean;
}

export type LanePlanResult =
  /** In order; lanes that are out for a while are part of it, with the time of their return. May be empty: nothing is open. */
  | {
      readonly known: true;
      readonly lanes: readonly PlannedLane[];
      readonly forbidden: boolean;
      readonly closed: readonly string[];
      /** Aliases of key lanes that were left out because nobody has consented to metered spend. */
      readonly withheld: readonly string[];
      /** True when the api process itself may serve it: key lanes alone, whatever state they are in, and nobody wants a workflow. */
      readonly direct: boolean;
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
  const rungs = rungsOf(model, route, lanes);
  if (rungs.length === 0 && route === undefined) return { known: false };
  const permitted = rungs.filter(({ lane }) => lane.kind === 'key' || permissions.planLanes);
  const isMeterAllowed = mayBeMetered(permissions.metered, route?.metered, permissions.allowMetered ?? false);
  const consented = permitted.filter(({ lane }) => lane.kind === 'plan' || isMeterAllowed);
  const open: PlannedLane[] = [];
  const closed: string[] = [];
  for (const { lane, laneModel } of consented) {
    const unavailableUntil = returnFor(lane, permissions, now);
    if (unavailableUntil === undefined) {
      closed.push(`${lane.alias} (${lane.hold === 'none' ? lane.state : lane.hold})`);
    } else {
      const { _id: laneId, kind, alias, concurrency } = lane;
      open.push({ laneId, kind, alias, model: laneModel, concurrency, unavailableUntil });
    }
  }
  return {
    known: true,
    lanes: open,
    forbidden: consented.length === 0 && rungs.length > 0,
    closed,
    withheld: permitted.filter((rung) => !consented.includes(rung)).map(({ lane }) => lane.alias),
    direct: route?.direct !== false && rungs.length > 0 && rungs.every(({ lane }) => lane.kind === 'key'),
  };
}

function returnFor(lane: LaneView, { purpose }: LanePermissions, now: number): number | undefined {
  const returnsAt = lane.hold === 'none' ? returnOf(lane, now) : undefined;
  if (returnsAt === undefined || purpose !== 'batch') return returnsAt;
  return Math.max(returnsAt, reservedUntil(lane, now));
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
