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
  readonly lanes: readonly { readonly laneId: string; readonly model: string }[];
}

/** A lane that may serve a model, and the model's name there. */
export interface Rung<View extends RungLane> {
  readonly lane: View;
  readonly laneModel: string;
}

/** A route's own lanes in its order; without a route every lane that has the model, flat before metered, by rank. */
export function rungsOf<View extends RungLane>(
  model: string,
  route: RungRoute | undefined,
  lanes: readonly View[],
): Rung<View>[] {
  if (route === undefined) {
    return lanes
      .filter((lane) => hasModel(lane, model))
      .sort((left, right) => kindOrder(left.kind) - kindOrder(right.kind) || left.rank - right.rank)
      .map((lane) => ({ lane, laneModel: nameAt(lane, model) }));
  }
  return route.lanes.flatMap((rung) => {
    const lane = lanes.find((candidate) => candidate._id === rung.laneId);
    // A name that the route gives is the provider's own; the route's name itself is what callers ask for.
    if (lane === undefined) return [];
    return [{ lane, laneModel: rung.model === route._id ? nameAt(lane, model) : rung.model }];
  });
}

/** The names by which callers may ask a lane for models. `*` is none. */
export function namesOf({ models, keySettings }: RungLane): string[] {
  return [...models.filter((name) => name !== '*'), ...(keySettings?.modelMap ?? []).map(({ asked }) => asked)];
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
