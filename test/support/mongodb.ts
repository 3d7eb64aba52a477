import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { connectDatabase, type Database } from '../../store/database.ts';

/** A fresh database on the MongoDB-wire server of the test run. */
export interface TestDatabase extends Database {
  /** Drops the database and closes the connection. */
  release(): Promise<void>;
}

export async function openTestDatabase(): Promise<TestDatabase> {
  const database = await connectDatabase(inject('mongodbUri'), `test_${randomBytes(6).toString('hex')}`);
  return {
    ...database,
    async release() {
      await database.db.dropDatabase();
      await database.close();
    },
  };
}
