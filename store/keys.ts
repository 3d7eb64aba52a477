import type { Db } from 'mongodb';
import type { MeteredConsent } from '../core/contracts/metered-consent.ts';
import type { RevokedBatches } from '../core/contracts/revocation.ts';

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
  /** What becomes of its batches, said with the revocation; absent before it, and for `finish` in keys from before there was a choice. */
  readonly revokedBatches?: RevokedBatches;
  /**
   * Only in an admin key that a start made: null until its owner has been shown it, once. A key of which nobody knows that it was
   * shown does not keep the next start from making another.
   */
  readonly shownAt?: number | null;
}

/** True for a key whose batches are to end early, those too that it began just after it was revoked. */
export function endsBatches(key: Pick<KeyDoc, 'revokedAt' | 'revokedBatches'> | null): boolean {
  return key !== null && key.revokedAt !== null && key.revokedBatches === 'cancel';
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
    /** The admin keys that hold; there are few, so no index. */
    listAdmins: () => keys.find({ admin: true, revokedAt: null }).toArray(),
    markShown: async (keyId: string, at: number) => void (await keys.updateOne({ keyId }, { $set: { shownAt: at } })),
    /** Returns the key as it is after, or null when it is unknown or revoked. */
    setMetered: (keyId: string, metered: MeteredConsent) =>
      keys.findOneAndUpdate({ keyId, revokedAt: null }, { $set: { metered } }, { returnDocument: 'after' }),
    /** Returns the key as it is after, or null when it is unknown or was revoked before. */
    revoke: (keyId: string, at: number, revokedBatches: RevokedBatches) =>
      keys.findOneAndUpdate(
        { keyId, revokedAt: null },
        { $set: { revokedAt: at, revokedBatches } },
        { returnDocument: 'after' },
      ),
    /** Has the batches of a key that was revoked before end as well. Returns the key as it is after, or null when it is not revoked. */
    endBatches: (keyId: string) =>
      keys.findOneAndUpdate(
        { keyId, revokedAt: { $ne: null } },
        { $set: { revokedBatches: 'cancel' } },
        { returnDocument: 'after' },
      ),
    /** Those of the keys whose batches are to end early. */
    async listEndingBatches(keyIds: readonly string[]): Promise<string[]> {
      const found = await keys
        .find({ keyId: { $in: [...keyIds] }, revokedAt: { $ne: null }, revokedBatches: 'cancel' })
        .project<Pick<KeyDoc, 'keyId'>>({ keyId: 1 })
        .toArray();
      return found.map(({ keyId }) => keyId);
    },
  };
}

export type KeyStore = ReturnType<typeof createKeyStore>;
