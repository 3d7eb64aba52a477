import type { Db } from 'mongodb';
import type { MeteredConsent } from '../core/contracts/metered-consent.ts';

/** A sub-key. The key itself is nowhere: `_id` is its HMAC. */
export interface KeyDoc {
  readonly _id: string;
  /** The public id, by which files, batches and logs know their owner. */
  readonly keyId: string;
  readonly name: string;
  /** May use the admin routes. */
  readonly admin: boolean;
  /** The owner has confirmed that it is for an app of their own, so it may use plan lanes. */
  readonly planLanes: boolean;
  /** What the owner says of metered spend; `auto` in keys from before there was a choice. */
  readonly metered?: MeteredConsent;
  readonly createdAt: number;
  readonly revokedAt: number | null;
}

/** Sub-keys. Index: `_id` (the HMAC), unique `keyId`. */
export function createKeyStore(db: Db) {
  const keys = db.collection<KeyDoc>('keys');
  return {
    ensureIndexes: async () => void (await keys.createIndex({ keyId: 1 }, { unique: true })),
    insert: async (key: KeyDoc) => void (await keys.insertOne(key)),
    /** By the HMAC of what a caller presented; null when unknown or revoked. */
    findActive: (hash: string) => keys.findOne({ _id: hash, revokedAt: null }),
    find: (keyId: string) => keys.findOne({ keyId }),
    list: () => keys.find().sort({ createdAt: 1 }).toArray(),
    countAdmins: () => keys.countDocuments({ admin: true, revokedAt: null }),
    /** Returns the key as it is after, or null when it is unknown or revoked. */
    setMetered: (keyId: string, metered: MeteredConsent) =>
      keys.findOneAndUpdate({ keyId, revokedAt: null }, { $set: { metered } }, { returnDocument: 'after' }),
    /** Returns the key as it is after, or null when it is unknown or was revoked before. */
    revoke: (keyId: string, at: number) =>
      keys.findOneAndUpdate({ keyId, revokedAt: null }, { $set: { revokedAt: at } }, { returnDocument: 'after' }),
  };
}

export type KeyStore = ReturnType<typeof createKeyStore>;
