import type { Db } from 'mongodb';
import { createBatchAnnouncementStore } from './batch-announcements.ts';
import { createBatchChunkStore } from './batch-chunks.ts';
import { createBatchControlStore } from './batch-control.ts';
import { createBatchQueueStore } from './batch-queue.ts';
import { createBatchResultStore } from './batch-results.ts';
import { createBatchSpendStore } from './batch-spend.ts';
import { createBatchStore } from './batches.ts';
import { createFileStore } from './files.ts';
import { createIdempotencyStore } from './idempotency.ts';
import { createKeyStore } from './keys.ts';
import { createLaneLogStore } from './lane-log.ts';
import { createLaneStore } from './lanes.ts';
import { createLedgerStore } from './ledger.ts';
import { createRequestStore } from './requests.ts';
import { createRouteStore } from './routes.ts';
import { createUploadStore } from './uploads.ts';
import { createQuoteStore } from './quotes.ts';
import { createProviderRunStore } from './provider-runs.ts';
import { createWebhookStore } from './webhooks.ts';
import { createWindowSampleStore } from './window-samples.ts';

/** All repositories over one database. */
export function createStores(db: Db) {
  const keys = createKeyStore(db);
  const lanes = createLaneStore(db);
  const routes = createRouteStore(db);
  const requests = createRequestStore(db);
  const laneLog = createLaneLogStore(db);
  const ledger = createLedgerStore(db);
  const files = createFileStore(db);
  const uploads = createUploadStore(db);
  const batches = createBatchStore(db);
  const batchAnnouncements = createBatchAnnouncementStore(db);
  const batchControl = createBatchControlStore(db);
  const batchQueue = createBatchQueueStore(db);
  const batchSpend = createBatchSpendStore(db);
  const providerRuns = createProviderRunStore(db);
  const chunks = createBatchChunkStore(db);
  const results = createBatchResultStore(db);
  const windowSamples = createWindowSampleStore(db);
  const webhooks = createWebhookStore(db);
  const quotes = createQuoteStore(db);
  const idempotency = createIdempotencyStore(db);
  return {
    keys,
    lanes,
    routes,
    requests,
    laneLog,
    ledger,
    files,
    uploads,
    batches,
    batchAnnouncements,
    batchControl,
    batchQueue,
    batchSpend,
    providerRuns,
    chunks,
    results,
    windowSamples,
    webhooks,
    quotes,
    idempotency,
    /** Safe to repeat, and for several processes at a time. */
    async ensureIndexes(): Promise<void> {
      for (const store of [
        keys,
        lanes,
        requests,
        laneLog,
        ledger,
        files,
        uploads,
        batches,
        batchAnnouncements,
        chunks,
        windowSamples,
        webhooks,
        quotes,
        idempotency,
      ])
        await store.ensureIndexes();
      await batchControl.ensureDefaults();
    },
  };
}

export type Stores = ReturnType<typeof createStores>;
