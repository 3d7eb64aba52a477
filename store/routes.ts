import type { Db } from 'mongodb';
import type { MeteredConsent } from '../core/contracts/metered-consent.ts';

/** A model name as callers use it, and the lanes that may serve it, in order. */
export interface RouteDoc {
  /** The model's name. */
  readonly _id: string;
  readonly lanes: readonly {
    readonly laneId: string;
    readonly model: string;
    /** Lanes of the same number share. Absent: a rung of its own. */
    readonly rung?: number;
    /** Its part beside the other weights of its rung. Absent in all of a rung: the least busy goes first. */
    readonly weight?: number;
  }[];
  /** Absent: the api process itself serves it where it has key lanes only. False: always as a workflow. */
  readonly direct?: boolean;
  /** Absent: the keys alone decide. */
  readonly metered?: MeteredConsent;
  readonly updatedAt: number;
}

/** Routes that the owner set, a handful. Index: `_id`. A model without one uses every lane that serves it, plan lanes first. */
export function createRouteStore(db: Db) {
  const routes = db.collection<RouteDoc>('routes');
  return {
    put: async (route: RouteDoc) => void (await routes.replaceOne({ _id: route._id }, route, { upsert: true })),
    list: () => routes.find().sort({ _id: 1 }).toArray(),
    /** Takes a lane out of all of them. One that is left without lanes stays: its owner wanted the model served by nothing else. */
    leave: async (laneId: string) =>
      void (await routes.updateMany({ 'lanes.laneId': laneId }, { $pull: { lanes: { laneId } } })),
    remove: async (model: string) => (await routes.deleteOne({ _id: model })).deletedCount === 1,
  };
}

export type RouteStore = ReturnType<typeof createRouteStore>;
