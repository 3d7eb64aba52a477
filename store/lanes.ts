import type { Db } from 'mongodb';
import { statesBefore, type LaneHold, type LaneKind, type LaneState } from '../core/contracts/lane.ts';

/** One plan window as it was last seen. */
export interface LaneWindow {
  readonly name: string;
  readonly durationMinutes: number;
  readonly usedPercent: number;
  /** Unix milliseconds. */
  readonly resetsAt: number | null;
}

/** What the owner set of a key lane beyond its address and key. Names and models are values, never names of fields. */
export interface KeyLaneSettings {
  /** The provider's name in the presets; null for an address without one. */
  readonly preset: string | null;
  readonly authHeader: string;
  /** Further headers as sealed JSON: some hold secrets. */
  readonly sealedHeaders: string | null;
  /** The provider's names of models that callers ask for under another one. */
  readonly modelMap: readonly { readonly asked: string; readonly upstream: string }[];
  /** Prices that the owner knows better, by the provider's name of the model. US dollars for a million tokens. */
  readonly prices: readonly {
    readonly model: string;
    readonly inputUsd: number;
    readonly cachedInputUsd: number;
    readonly outputUsd: number;
  }[];
  /** What a line costs at the provider's own Batch API, as a share of the usual price. null: it is not used. Absent: as the preset has it. */
  readonly batchPriceShare?: number | null;
}

/** A device-code sign-in that waits for its owner. */
export interface PendingLogin {
  readonly loginId: string;
  readonly verificationUrl: string;
  readonly userCode: string;
  /** Unix milliseconds. */
  readonly expiresAt: number;
}

/** What the owner changes of a key lane. */
export type KeyLaneEdit = Partial<
  Pick<LaneDoc, 'alias' | 'rank' | 'concurrency' | 'models' | 'baseUrl' | 'sealedKey' | 'allowPrivateAddresses'>
> & { readonly keySettings?: Partial<KeyLaneSettings> };

/** The settings of a key lane from before it could have any. */
const PLAIN_KEY_SETTINGS: KeyLaneSettings = {
  preset: null,
  authHeader: 'authorization',
  sealedHeaders: null,
  modelMap: [],
  prices: [],
};

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
  /** Of cooling: its upstream has asked for a pause, and no window is used up. Absent until its state changes: as if a window was. */
  readonly backsOff?: boolean;
  /** Order among lanes of one kind: smaller first. */
  readonly rank: number;
  readonly concurrency: number;
  /** Model names that the lane serves; `*` for any. */
  readonly models: readonly string[];
  readonly createdAt: number;
  readonly stateChangedAt: number;
  /** plan: the machine whose disk holds the account's CODEX_HOME; null until a worker has taken it. */
  readonly hostId: string | null;
  /** plan: counted up by the worker that serves it as long as it does; absent until the first time. */
  readonly hostBeat?: number;
  readonly email: string | null;
  readonly planType: string | null;
  readonly windows: readonly LaneWindow[];
  readonly login: PendingLogin | null;
  /** plan: counts up with each wish of the owner to sign in, so that the host sees it. */
  readonly loginWish: number;
  /** What the owner wants of it, whatever its state. */
  readonly hold: LaneHold;
  /** When the last draining was over, in Unix milliseconds. */
  readonly drainedAt: number | null;
  /** plan: percent of the weekly window that batch lines leave to interactive requests. */
  readonly weeklyReservePercent: number;
  /** plan: wishes to end the sign-in here, and to look at the account anew; each is pending until its count is done. */
  readonly signOutWish: number;
  readonly signOutDone: number;
  readonly checkWish: number;
  readonly checkDone: number;
  /** key: where it is. */
  readonly baseUrl: string | null;
  /** key: the sealed key. plan: the sealed access token, of an account that was not signed in by device code. */
  readonly sealedKey: string | null;
  readonly allowPrivateAddresses: boolean;
  readonly keySettings: KeyLaneSettings | null;
}

/** The fields that came later, as a lane has them that nobody has changed. */
export const UNTOUCHED_LANE = {
  keySettings: null,
  hold: 'none',
  drainedAt: null,
  weeklyReservePercent: 0,
  signOutWish: 0,
  signOutDone: 0,
  checkWish: 0,
  checkDone: 0,
} as const satisfies Partial<LaneDoc>;

/** Where a lane's secret is sealed for. */
export function laneSecretPlace(laneId: string): string {
  return `lanes/${laneId}/sealedKey`;
}

/** Where a key lane's further headers are sealed for. */
export function laneHeadersPlace(laneId: string): string {
  return `lanes/${laneId}/keySettings.sealedHeaders`;
}

/** Lanes and their states. Index: `_id`, unique `alias`. A handful of documents: readers take all of them. */
export function createLaneStore(db: Db) {
  const lanes = db.collection<LaneDoc>('lanes');
  const set = (laneId: string, fields: Partial<LaneDoc>): Promise<LaneDoc | null> =>
    lanes.findOneAndUpdate({ _id: laneId }, { $set: fields }, { returnDocument: 'after' });
  return {
    ensureIndexes: async () => {
      await lanes.createIndex({ alias: 1 }, { unique: true });
      // Lanes that an earlier version has stored.
      await lanes.updateMany({ hold: { $exists: false } }, { $set: UNTOUCHED_LANE });
    },
    insert: async (lane: LaneDoc) => void (await lanes.insertOne(lane)),
    find: (laneId: string) => lanes.findOne({ _id: laneId }),
    findByAlias: (alias: string) => lanes.findOne({ alias }),
    list: () => lanes.find().sort({ kind: -1, rank: 1, createdAt: 1 }).toArray(),
    remove: async (laneId: string) => (await lanes.deleteOne({ _id: laneId })).deletedCount === 1,

    /**
     * The one function that changes a lane's state: a conditional update on the states it may come from.
     * Returns the lane as it is after, or null when it was in a state from which there is no way.
     * @param patch with `sealedKey`: only while the lane has that key. What a process learns with a key that has been changed
     *   meanwhile says nothing of the lane as it is.
     */
    transition(
      laneId: string,
      to: LaneState,
      at: number,
      patch: { why?: string | null; until?: number | null; backsOff?: boolean; sealedKey?: string | null } = {},
    ): Promise<LaneDoc | null> {
      const { why = null, until = null, backsOff = false, sealedKey } = patch;
      return lanes.findOneAndUpdate(
        { _id: laneId, state: { $in: [...statesBefore(to)] }, ...(sealedKey === undefined ? {} : { sealedKey }) },
        { $set: { state: to, why, until, backsOff, stateChangedAt: at } },
        { returnDocument: 'after' },
      );
    },

    /** A worker takes an account that no machine hosts yet. True for exactly one of those that try. */
    claimHost: async (laneId: string, hostId: string) =>
      (await lanes.updateOne({ _id: laneId, hostId: null }, { $set: { hostId } })).modifiedCount === 1,

    /** A worker shows that it serves these accounts. */
    beat: async (laneIds: readonly string[]) =>
      void (await lanes.updateMany({ _id: { $in: [...laneIds] } }, { $inc: { hostBeat: 1 } })),

    /** @throws the duplicate-key error when the alias is taken */
    rename: (laneId: string, alias: string) => set(laneId, { alias }),

    /** What the owner sets, as far as it is given. */
    configure: (laneId: string, settings: Partial<Pick<LaneDoc, 'concurrency' | 'weeklyReservePercent' | 'rank'>>) =>
      set(laneId, settings),

    /**
     * What the owner changes of a key lane, all of it at once; each setting is written for itself, so that two edits at a time
     * keep what the other one has written. Returns null when there is no such key lane any more.
     * @throws the duplicate-key error when the alias is taken
     */
    async editKeyLane(laneId: string, { keySettings = {}, ...fields }: KeyLaneEdit): Promise<LaneDoc | null> {
      const settings = Object.entries(keySettings).map(([name, value]) => [`keySettings.${name}`, value]);
      if (settings.length > 0) {
        await lanes.updateOne({ _id: laneId, keySettings: null }, { $set: { keySettings: PLAIN_KEY_SETTINGS } });
      }
      return lanes.findOneAndUpdate(
        { _id: laneId, kind: 'key' },
        { $set: { ...fields, ...(Object.fromEntries(settings) as object) } },
        { returnDocument: 'after' },
      );
    },

    /** The owner's wish. A lane that is being removed stays so. Returns null when there is no such lane any more. */
    setHold: (laneId: string, hold: LaneHold) =>
      lanes.findOneAndUpdate(
        { _id: laneId, hold: { $ne: 'removing' } },
        { $set: { hold } },
        { returnDocument: 'after' },
      ),

    /** All that was under way on a draining lane is finished. Not if the owner has changed their mind. */
    setDrained: async (laneId: string, at: number) =>
      void (await lanes.updateOne({ _id: laneId, hold: 'draining' }, { $set: { hold: 'paused', drainedAt: at } })),

    /** Counts a wish up; the document says which count to wait for. */
    wish: (laneId: string, wish: 'signOut' | 'check') =>
      lanes.findOneAndUpdate({ _id: laneId }, { $inc: { [`${wish}Wish`]: 1 } }, { returnDocument: 'after' }),

    /** @param count the wish that was fulfilled, and with it all before */
    fulfilled: async (laneId: string, wish: 'signOut' | 'check', count: number) =>
      void (await lanes.updateOne({ _id: laneId }, { $set: { [`${wish}Done`]: count } })),

    setSealedKey: (laneId: string, sealedKey: string | null) => set(laneId, { sealedKey }),

    setLogin: async (laneId: string, login: PendingLogin | null) =>
      void (await lanes.updateOne({ _id: laneId }, { $set: { login } })),

    wishLogin: async (laneId: string) => void (await lanes.updateOne({ _id: laneId }, { $inc: { loginWish: 1 } })),

    /** What the account says of itself, and, with `login`, that nobody waits for its sign-in any more. */
    setAccount: async (
      laneId: string,
      account: { email: string | null; planType: string | null; models: readonly string[]; login?: null },
    ) => void (await lanes.updateOne({ _id: laneId }, { $set: account })),

    setWindows: async (laneId: string, windows: readonly LaneWindow[]) =>
      void (await lanes.updateOne({ _id: laneId }, { $set: { windows } })),
  };
}

export type LaneStore = ReturnType<typeof createLaneStore>;
