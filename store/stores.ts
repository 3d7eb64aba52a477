import type { Db } from 'mongodb';
import { createBatchChunkStore } from './batch-chunks.ts';
import { createBatchResultStore } from './batch-results.ts';
import { createBatchStore } from './batches.ts';
import { createFileStore } from './files.ts';
import { createKeyStore } from './keys.ts';
import { createLaneLogStore } from './lane-log.ts';
import { createLaneStore } from './lanes.ts';
import { createLedgerStore } from './ledger.ts';
import { createRequestStore } from './requests.ts';
import { createRouteStore } from './routes.ts';
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
  const batches = createBatchStore(db);
  const chunks = createBatchChunkStore(db);
  const results = createBatchResultStore(db);
  const windowSamples = createWindowSampleStore(db);
  return {
    keys,
    lanes,
    routes,
    requests,
    laneLog,
    ledger,
    files,
    batches,
    chunks,
    results,
    windowSamples,
    /** Safe to repeat, and for several processes at a time. */
    async ensureIndexes(): Promise<void> {
      for (const store of [keys, lanes, requests, laneLog, ledger, files, batches, chunks, windowSamples])
        await store.ensureIndexes();
    },
  };
}

export type Stores = ReturnType<typeof createStores>;
