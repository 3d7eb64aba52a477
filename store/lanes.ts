import type { Db } from 'mongodb';
import { statesBefore, type LaneKind, type LaneState } from '../core/contracts/lane.ts';

/** One plan window as it was last seen. */
export interface LaneWindow {
  readonly name: string;
  readonly durationMinutes: number;
  readonly usedPercent: number;
  /** Unix milliseconds. */
  readonly resetsAt: number | null;
}

/** A device-code sign-in that waits for its owner. */
export interface PendingLogin {
  readonly loginId: string;
  readonly verificationUrl: string;
  readonly userCode: string;
  /** Unix milliseconds. */
  readonly expiresAt: number;
}

export interface LaneDoc {
  readonly _id: string;
  readonly kind: LaneKind;
  /** Unique among lanes. */
  readonly alias: string;
  readonly state: LaneState;
  /** Why it is in this state, in our own words. */
  readonly why: string | null;
  /** Unix milliseconds until which it takes nothing, for cooling and unhealthy. */
  readonly until: number | null;
  /** Order among lanes of one kind: smaller first. */
  readonly rank: number;
  readonly concurrency: number;
  /** Model names that the lane serves; `*` for any. */
  readonly models: readonly string[];
  readonly createdAt: number;
  readonly stateChangedAt: number;
  /** plan: the machine whose disk holds the account's CODEX_HOME; null until a worker has taken it. */
  readonly hostId: string | null;
  readonly email: string | null;
  readonly planType: string | null;
  readonly windows: readonly LaneWindow[];
  readonly login: PendingLogin | null;
  /** plan: counts up with each wish of the owner to sign in, so that the host sees it. */
  readonly loginWish: number;
  /** key: where it is, and the sealed key. */
  readonly baseUrl: string | null;
  readonly sealedKey: string | null;
  readonly allowPrivateAddresses: boolean;
}

/** Where a lane's secret is sealed for. */
export function laneSecretPlace(laneId: string): string {
  return `lanes/${laneId}/sealedKey`;
}

/** Lanes and their states. Index: `_id`, unique `alias`. A handful of documents: readers take all of them. */
export function createLaneStore(db: Db) {
  const lanes = db.collection<LaneDoc>('lanes');
  return {
    ensureIndexes: async () => void (await lanes.createIndex({ alias: 1 }, { unique: true })),
    insert: async (lane: LaneDoc) => void (await lanes.insertOne(lane)),
    find: (laneId: string) => lanes.findOne({ _id: laneId }),
    findByAlias: (alias: string) => lanes.findOne({ alias }),
    list: () => lanes.find().sort({ kind: -1, rank: 1, createdAt: 1 }).toArray(),
    remove: async (laneId: string) => (await lanes.deleteOne({ _id: laneId })).deletedCount === 1,

    /**
     * The one function that changes a lane's state: a conditional update on the states it may come from.
     * Returns the lane as it is after, or null when it was in a state from which there is no way.
     */
    transition(
      laneId: string,
      to: LaneState,
      at: number,
      patch: { why?: string | null; until?: number | null } = {},
    ): Promise<LaneDoc | null> {
      const { why = null, until = null } = patch;
      return lanes.findOneAndUpdate(
        { _id: laneId, state: { $in: [...statesBefore(to)] } },
        { $set: { state: to, why, until, stateChangedAt: at } },
        { returnDocument: 'after' },
      );
    },

    /** A worker takes an account that no machine hosts yet. True for exactly one of those that try. */
    claimHost: async (laneId: string, hostId: string) =>
      (await lanes.updateOne({ _id: laneId, hostId: null }, { $set: { hostId } })).modifiedCount === 1,

    setLogin: async (laneId: string, login: PendingLogin | null) =>
      void (await lanes.updateOne({ _id: laneId }, { $set: { login } })),

    wishLogin: async (laneId: string) => void (await lanes.updateOne({ _id: laneId }, { $inc: { loginWish: 1 } })),

    /** What the account says of itself. */
    setAccount: async (
      laneId: string,
      account: { email: string | null; planType: string | null; models: readonly string[] },
    ) => void (await lanes.updateOne({ _id: laneId }, { $set: account })),

    setWindows: async (laneId: string, windows: readonly LaneWindow[]) =>
      void (await lanes.updateOne({ _id: laneId }, { $set: { windows } })),
  };
}

export type LaneStore = ReturnType<typeof createLaneStore>;
