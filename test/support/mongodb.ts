import { randomBytes } from 'node:crypto';
import { connectDatabase, type Database } from '../../store/database.ts';

/** A fresh database on the MongoDB-wire server of the test run. */
export interface TestDatabase extends Database {
  /** Drops the database and closes the connection. */
  release(): Promise<void>;
}

/** @throws Error when the run has no server: a test of the store without one would show nothing. */
export async function openTestDatabase(): Promise<TestDatabase> {
  // oxlint-disable-next-line node/no-process-env
  const uri = process.env['TEST_MONGODB_URI'];
  if (uri === undefined) throw new Error('Set TEST_MONGODB_URI to a MongoDB server for tests.');
  const database = await connectDatabase(uri, `test_${randomBytes(6).toString('hex')}`);
  return {
    ...database,
    async release() {
      await database.db.dropDatabase();
      await database.close();
    },
  };
}
