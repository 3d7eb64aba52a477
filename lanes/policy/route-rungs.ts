import type { LaneKind } from '../../core/contracts/lane.ts';

/** What finding the lanes of a model needs to know of a lane. */
export interface RungLane {
  readonly _id: string;
  readonly kind: LaneKind;
  readonly rank: number;
  readonly models: readonly string[];
  /** key: other names of models at the lane's provider. */
  readonly keySettings?: { readonly modelMap: readonly { readonly asked: string; readonly upstream: string }[] } | null;
}

export interface RungRoute {
  readonly _id: string;
  readonly lanes: readonly RouteLane[];
}

/** A lane in a route. */
export interface RouteLane {
  readonly laneId: string;
  readonly model: string;
  /** Lanes of the same number share. Absent: a rung of its own. */
  readonly rung?: number;
  /** Its part beside the other weights of its rung; 1 where only others have one. */
  readonly weight?: number;
}

/** A lane that may serve a model, and the model's name there. */
export interface RungEntry<View extends RungLane> {
  readonly lane: View;
  readonly laneModel: string;
  /** null: no lane of the rung has one, and the least busy goes first. */
  readonly weight: number | null;
}

/** Lanes that share: all of them are tried before the next rung is. Never empty. */
export type Rung<View extends RungLane> = readonly RungEntry<View>[];

/**
 * A route's own lanes in its order, those of one rung together; without a route every lane that has the model, flat before
 * metered, by rank, those of equal rank together.
 */
export function rungsOf<View extends RungLane>(
  model: string,
  route: RungRoute | undefined,
  lanes: readonly View[],
): Rung<View>[] {
  if (route === undefined) {
    const able = lanes
      .filter((lane) => hasModel(lane, model))
      .sort((left, right) => kindOrder(left.kind) - kindOrder(right.kind) || left.rank - right.rank)
      .map((lane) => ({ lane, laneModel: nameAt(lane, model), weight: null }));
    return groupBy(able, ({ lane }) => `${lane.kind} ${lane.rank}`);
  }
  const entries = route.lanes.flatMap(({ laneId, model: name, rung, weight }, index) => {
    const lane = lanes.find((candidate) => candidate._id === laneId);
    if (lane === undefined) return [];
    // A name that the route gives is the provider's own; the route's name itself is what callers ask for.
    const laneModel = name === route._id ? nameAt(lane, model) : name;
    return [{ lane, laneModel, weight: weight ?? null, of: rung === undefined ? `alone ${index}` : `rung ${rung}` }];
  });
  return groupBy(entries, ({ of }) => of).map((rung) => {
    const isWeighted = rung.some(({ weight }) => weight !== null);
    return rung.map(({ lane, laneModel, weight }) => ({ lane, laneModel, weight: isWeighted ? (weight ?? 1) : null }));
  });
}

/** The names by which callers may ask a lane for models. `*` is none. */
export function namesOf({ models, keySettings }: RungLane): string[] {
  return [...models.filter((name) => name !== '*'), ...(keySettings?.modelMap ?? []).map(({ asked }) => asked)];
}

/** Groups in the order of their first members. */
function groupBy<Entry>(entries: readonly Entry[], keyOf: (entry: Entry) => string): Entry[][] {
  const groups = new Map<string, Entry[]>();
  for (const entry of entries) {
    const key = keyOf(entry);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [entry]);
    else group.push(entry);
  }
  return [...groups.values()];
}

function hasModel(lane: RungLane, model: string): boolean {
  return lane.models.includes('*') || namesOf(lane).includes(model);
}

function nameAt({ keySettings }: RungLane, model: string): string {
  return keySettings?.modelMap.find(({ asked }) => asked === model)?.upstream ?? model;
}

/** Flat before metered. */
function kindOrder(kind: LaneKind): number {
  return kind === 'plan' ? 0 : 1;
}
