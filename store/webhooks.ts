import type { Db } from 'mongodb';
import type { WebhookEventType, WebhookOutcome } from '../core/contracts/webhook.ts';

/** One attempt of a delivery: no URL, no body, no secret. */
export interface WebhookAttempt {
  readonly eventId: string;
  readonly type: WebhookEventType;
  readonly dataId: string;
  readonly attempt: number;
  /** Unix milliseconds. */
  readonly at: number;
  readonly durationMs: number;
  readonly outcome: Exclude<WebhookOutcome, 'stopped'>;
  readonly status: number | null;
  readonly why: string | null;
}

/** A secret that is being replaced, and still signs. */
export interface PreviousSecret {
  readonly sealed: string;
  /** Unix milliseconds. */
  readonly until: number;
}

/** A receiver of events, set by the owner for one key. */
export interface WebhookDoc {
  readonly _id: string;
  /** Public id of the key whose batches it hears of. */
  readonly keyId: string;
  readonly url: string;
  readonly allowPrivateAddresses: boolean;
  readonly events: readonly WebhookEventType[];
  readonly enabled: boolean;
  /** Why it is disabled, in our own words. */
  readonly why: string | null;
  readonly sealedSecret: string;
  readonly previousSecret: PreviousSecret | null;
  readonly createdAt: number;
  /** The last attempts, newest last. */
  readonly attempts: readonly WebhookAttempt[];
}

/** What an endpoint keeps of its past: ten attempts of one event that fails to its end, and those of nine others around it. */
const ATTEMPTS_KEPT = 100;

/** Where a webhook's secrets are sealed for. */
export function webhookSecretPlace(webhookId: string): string {
  return `webhooks/${webhookId}/sealedSecret`;
}

/** Endpoints for events. Indexes: `_id`; `keyId` for the end of a batch. A handful of documents. */
export function createWebhookStore(db: Db) {
  const webhooks = db.collection<WebhookDoc>('webhooks');
  return {
    ensureIndexes: async () => void (await webhooks.createIndex({ keyId: 1 })),
    insert: async (webhook: WebhookDoc) => void (await webhooks.insertOne(webhook)),
    find: (webhookId: string) => webhooks.findOne({ _id: webhookId }),
    list: () => webhooks.find().sort({ createdAt: 1, _id: 1 }).toArray(),
    countOfKey: (keyId: string) => webhooks.countDocuments({ keyId }),
    remove: async (webhookId: string) => (await webhooks.deleteOne({ _id: webhookId })).deletedCount === 1,

    /** Those of a key that want an event of this type. */
    async listenersOf(keyId: string, type: WebhookEventType): Promise<string[]> {
      const found = await webhooks.find({ keyId }, { projection: { events: 1, enabled: 1 } }).toArray();
      return found.filter(({ events, enabled }) => enabled && events.includes(type)).map(({ _id }) => _id);
    },

    /** What the owner changes. Returns the endpoint as it is after, or null when it is gone. */
    configure: (
      webhookId: string,
      settings: Partial<Pick<WebhookDoc, 'url' | 'allowPrivateAddresses' | 'events' | 'enabled' | 'why'>>,
    ) => webhooks.findOneAndUpdate({ _id: webhookId }, { $set: settings }, { returnDocument: 'after' }),

    /** Of two that rotate at once, one does: the other gets null. @param seen the sealed secret that is replaced */
    rotate: (webhookId: string, seen: string, sealedSecret: string, previousSecret: PreviousSecret | null) =>
      webhooks.findOneAndUpdate(
        { _id: webhookId, sealedSecret: seen },
        { $set: { sealedSecret, previousSecret } },
        { returnDocument: 'after' },
      ),

    /** Keeps an attempt; the oldest beyond the bound goes. */
    record: async (webhookId: string, attempt: WebhookAttempt) =>
      void (await webhooks.updateOne(
        { _id: webhookId },
        { $push: { attempts: { $each: [attempt], $slice: -ATTEMPTS_KEPT } } },
      )),

    /** The receiver said that it is gone. Not if the owner has given another address meanwhile. */
    disable: async (webhookId: string, url: string, why: string) =>
      void (await webhooks.updateOne({ _id: webhookId, url }, { $set: { enabled: false, why } })),
  };
}

export type WebhookStore = ReturnType<typeof createWebhookStore>;
