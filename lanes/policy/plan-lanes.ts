import type { LaneHold, LaneState, PlannedLane } from '../../core/contracts/lane.ts';
import { LANE_WITHOUT_WORKER_MS } from '../../core/contracts/timings.ts';
import { mayBeMetered, type MeteredConsent } from '../../core/contracts/metered-consent.ts';
import { rungsOf, type RungEntry, type RungLane, type RungRoute } from './route-rungs.ts';
import { shareOrder, type ShareKey } from './share-order.ts';
import { reservedUntil, type ReserveView } from './weekly-reserve.ts';

/** What planning needs to know of a lane. */
export interface LaneView extends ReserveView, RungLane {
  readonly alias: string;
  readonly state: LaneState;
  readonly hold: LaneHold;
  readonly until: number | null;
  /** Of cooling: no window is used up, its upstream has asked for a pause. Absent where an earlier version has stored it. */
  readonly backsOff?: boolean;
  readonly concurrency: number;
  /** True while no worker serves it, whatever its state says. */
  readonly silent?: boolean;
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

/** By what lanes of one rung are put in order. */
export interface Sharing {
  /** Called only where lanes share. */
  readonly key: () => ShareKey;
  /** Requests under way on a lane, as far as this process knows. */
  readonly inFlight: (laneId: string) => number;
}

/** Where a lane stands in its plan, for those who want to know why. */
export interface LaneStanding {
  /** From 1; lanes of one rung share. */
  readonly rung: number;
  /** null where its rung has no weights. */
  readonly weight: number | null;
  readonly inFlight: number;
}

export type LanePlanResult =
  /** In order; lanes that are out for a while are part of it, with the time of their return. May be empty: nothing is open. */
  | {
      readonly known: true;
      readonly lanes: readonly PlannedLane[];
      /** One for each of the lanes. */
      readonly standings: readonly LaneStanding[];
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
 * lane that lists the model serves it, plan lanes before key lanes, by rank. Lanes of one rung (a route's, or of equal rank)
 * are put in order among themselves by `sharing`; without it they stay as they are listed. Lanes that are closed until
 * somebody does something (signing in, a new key, off) are left out and named in `closed`.
 */
export function planLanes(
  model: string,
  routes: readonly RouteView[],
  lanes: readonly LaneView[],
  permissions: LanePermissions,
  now: number,
  sharing?: Sharing,
): LanePlanResult {
  const route = routes.find((candidate) => candidate._id === model);
  const rungs = rungsOf(model, route, lanes);
  if (rungs.length === 0 && route === undefined) return { known: false };
  const isMeterAllowed = mayBeMetered(permissions.metered, route?.metered, permissions.allowMetered ?? false);
  const open: PlannedLane[] = [];
  const standings: LaneStanding[] = [];
  const closed: string[] = [];
  const withheld: string[] = [];
  for (const [index, rung] of rungs.entries()) {
    const usable: UsableLane[] = [];
    for (const entry of rung) {
      const { lane } = entry;
      if (lane.kind === 'plan' && !permissions.planLanes) continue;
      if (lane.kind === 'key' && !isMeterAllowed) {
        withheld.push(lane.alias);
        continue;
      }
      const returns = returnFor(lane, permissions, now);
      if (returns === undefined) closed.push(`${lane.alias} (${lane.hold === 'none' ? lane.state : lane.hold})`);
      else usable.push({ entry, ...returns });
    }
    for (const { entry, unavailableUntil, backsOff, inFlight } of inOrder(usable, now, sharing)) {
      const { _id: laneId, kind, alias, concurrency } = entry.lane;
      const planned = { laneId, kind, alias, model: entry.laneModel, concurrency, unavailableUntil };
      open.push(backsOff ? { ...planned, backsOff } : planned);
      standings.push({ rung: index + 1, weight: entry.weight, inFlight });
    }
  }
  const isEvery = (test: (lane: LaneView) => boolean): boolean => rungs.flat().every(({ lane }) => test(lane));
  return {
    known: true,
    lanes: open,
    standings,
    forbidden: rungs.length > 0 && isEvery(({ kind }) => (kind === 'plan' ? !permissions.planLanes : !isMeterAllowed)),
    closed,
    withheld,
    direct: route?.direct !== false && rungs.length > 0 && isEvery(({ kind }) => kind === 'key'),
  };
}

/** When a lane takes requests, 0 for now, and whether it is a pause that keeps it until then, and not a window. */
interface LaneReturn {
  readonly unavailableUntil: number;
  readonly backsOff: boolean;
}

/** A lane of a rung that may serve, now or when it is back. */
interface UsableLane extends LaneReturn {
  readonly entry: RungEntry<LaneView>;
}

/** The lanes of one rung in the order in which they are tried. */
function inOrder(
  usable: readonly UsableLane[],
  now: number,
  sharing: Sharing | undefined,
): readonly (UsableLane & { readonly inFlight: number })[] {
  const lanes = usable.map((lane) => {
    const { _id: laneId, concurrency } = lane.entry.lane;
    const inFlight = sharing?.inFlight(laneId) ?? 0;
    return { ...lane, laneId, concurrency, weight: lane.entry.weight, inFlight, open: lane.unavailableUntil <= now };
  });
  return sharing === undefined || lanes.length < 2 ? lanes : shareOrder(lanes, sharing.key());
}

/** undefined while it is closed. */
function returnFor(lane: LaneView, { purpose }: LanePermissions, now: number): LaneReturn | undefined {
  const opensAt = lane.hold === 'none' ? returnOf(lane, now) : undefined;
  if (opensAt === undefined) return undefined;
  const [pause, window] = isBackingOff(lane) ? [opensAt, 0] : [0, opensAt];
  // It stays in the plan: its worker may be back at any moment, and then at the next look.
  const pausesUntil = lane.silent === true ? Math.max(pause, now + LANE_WITHOUT_WORKER_MS) : pause;
  const isOutUntil = purpose === 'batch' ? Math.max(window, reservedUntil(lane, now)) : window;
  return { unavailableUntil: Math.max(pausesUntil, isOutUntil), backsOff: pausesUntil > isOutUntil };
}

/** Whether what keeps a lane until its time is a pause after failures or a rate limit, and no window that is used up. */
export function isBackingOff({ state, backsOff }: Pick<LaneView, 'state' | 'backsOff'>): boolean {
  return state === 'unhealthy' || (state === 'cooling' && backsOff === true);
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
