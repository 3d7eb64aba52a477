import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHousekeep } from '../../../activities/housekeeping/housekeep.ts';
import { createApp } from '../../../api/create-app.ts';
import { registerBatchResultsRoute } from '../../../api/routes/batch-results.ts';
import { registerBatchRetryRoute } from '../../../api/routes/batch-retry.ts';
import { issueKey } from '../../../api/admin/issue-key.ts';
import { createLogger } from '../../../core/log.ts';
import { createSecretBox, newMasterKey } from '../../../core/secret-box.ts';
import { createBatchWorld, DAY_MS, result, rows, type BatchWorld } from '../../support/batch-world.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';
import { silentLog } from '../../support/planted.ts';

let database: TestDatabase;
let world: BatchWorld;
beforeAll(async () => {
  database = await openTestDatabase();
  world = await createBatchWorld(database);
});
afterAll(() => database.release());

describe('results that the housekeeping has removed', () => {
  it('are a clear 404 for who reads them, and for who wants the rest retried', async () => {
    const { keys, clock } = world;
    const secretBox = createSecretBox(newMasterKey());
    const app = createApp({ keys, secretBox, log: createLogger('silent', 'test'), defaultAccess: 'key' });
    registerBatchResultsRoute(app, world);
    const startBatch = () => Promise.reject(new Error('a batch was started'));
    registerBatchRetryRoute(app, { ...world, startBatch });
    const { key, secret } = await issueKey(
      { keys, secretBox, clock },
      { name: 'mine', planLanes: false, admin: false },
    );
    const headers = { authorization: `Bearer ${secret}` };

    const file = await world.putFile(rows(2), { ownerId: key.keyId });
    const batch = await world.putBatch(file._id, { ownerId: key.keyId });
    await world.validateBatch({ batchId: batch._id });
    await world.results.insertMany([1, 2].map((line) => result(batch._id, line)));
    await world.finalizeBatch({ batchId: batch._id, reason: 'completed' });
    const read = () => app.inject({ url: `/v1/batches/${batch._id}/results`, headers });
    expect((await read()).body.trim().split('\n')).toHaveLength(2);

    clock.advance(30 * DAY_MS);
    const checkIn = (): void => undefined;
    await createHousekeep({ stores: world, clock, logDays: 90, log: silentLog, checkIn })();
    const retry = await app.inject({
      method: 'POST',
      url: `/v1/batches/${batch._id}/retry`,
      headers: { ...headers, 'content-type': 'application/json' },
      payload: {},
    });
    for (const response of [await read(), retry]) {
      expect(response.statusCode).toBe(404);
      expect(response.json<{ error: { message: string } }>().error.message).toContain('are removed');
    }
    await app.close();
  });
});
