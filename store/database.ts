import { MongoBulkWriteError, MongoClient, type Db } from 'mongodb';
import { mendDriver } from './driver-repair.ts';

export interface Database {
  readonly db: Db;
  /** Answers when the server does; rejects after the server-selection time-out. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** A server that does not answer for this long is reported, not waited for: every caller has a retry of its own. */
const SERVER_SELECTION_TIMEOUT_MS = 10_000;

/**
 * Connects to MongoDB. Writes are acknowledged by a majority and journaled: what a caller was told is stored survives.
 * @throws MongoServerSelectionError when nobody answers at the address.
 */
export async function connectDatabase(uri: string, databaseName: string): Promise<Database> {
  mendDriver();
  const client = new MongoClient(uri, {
    appName: 'flatlane',
    serverSelectionTimeoutMS: SERVER_SELECTION_TIMEOUT_MS,
    writeConcern: { w: 'majority', journal: true },
    retryWrites: true,
    retryReads: true,
    maxPoolSize: 50,
    ignoreUndefined: true,
  });
  await client.connect();
  const db = client.db(databaseName);
  return {
    db,
    ping: async () => void (await db.command({ ping: 1 })),
    close: () => client.close(),
  };
}

/** MongoDB's code for a unique key that is there already: how a claim is lost. */
const DUPLICATE_KEY = 11_000;

/**
 * True if an insert failed because the document is there already; of several documents, if none failed otherwise: the error
 * of many bears the code of its first failure alone. Documents that no majority has acknowledged may be lost again, so beside
 * duplicates that is a failure too: the repeat finds all of them there, or writes them anew.
 */
export function isDuplicateKey(error: unknown): boolean {
  if (error instanceof MongoBulkWriteError) {
    if (error.result.getWriteConcernError() !== undefined) return false;
    const failures = [error.writeErrors].flat();
    if (failures.length > 0) return failures.every(({ code }) => code === DUPLICATE_KEY);
  }
  return typeof error === 'object' && error !== null && 'code' in error && error.code === DUPLICATE_KEY;
}
