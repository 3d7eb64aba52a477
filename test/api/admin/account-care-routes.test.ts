import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { registerAccountCareRoutes } from '../../../api/admin/account-care-routes.ts';
import { createApp } from '../../../api/create-app.ts';
import { createSecretBox, newMasterKey } from '../../../core/secret-box.ts';
import type { KeyDoc, KeyStore } from '../../../store/keys.ts';
import { createBatchWorld, type BatchWorld } from '../../support/batch-world.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';
import { plantLaneDoc, silentLog } from '../../support/planted.ts';

const ADMIN_KEY = `sk-fl-${'b'.repeat(43)}`;

let database: TestDatabase;
let world: BatchWorld;
let app: ReturnType<typeof createApp>;
beforeAll(async () => {
  database = await openTestDatabase();
  world = await createBatchWorld(database);
  const admin = { keyId: 'key_admin', name: 'planted', admin: true, planLanes: true } as KeyDoc;
  const keys = { findActive: async () => admin } as unknown as KeyStore;
  const secretBox = createSecretBox(newMasterKey());
  app = createApp({ keys, secretBox, log: silentLog, defaultAccess: 'admin' });
  registerAccountCareRoutes(app, { ...world, directory: { refresh: () => undefined } });
});
afterAll(async () => {
  await app.close();
  await database.release();
});

const remove = (id: string) =>
  app.inject({ method: 'DELETE', url: `/admin/accounts/${id}`, headers: { authorization: `Bearer ${ADMIN_KEY}` } });

describe('the removal of an account', () => {
  it('leaves no route that names it, also where it is cut off and the worker has done the rest', async () => {
    await world.lanes.insert(plantLaneDoc('account', { kind: 'plan', hostId: 'host' }));
    const route = { _id: 'm', metered: 'never', updatedAt: 1 } as const;
    await world.routes.put({ ...route, lanes: [{ laneId: 'account', model: 'm' }] });
    const setHold = world.lanes.setHold.bind(world.lanes);
    vi.spyOn(world.lanes, 'setHold').mockImplementationOnce(async (...given) => {
      await setHold(...given);
      throw new Error('killed');
    });
    expect((await remove('account')).statusCode).toBe(500);
    await world.lanes.remove('account');
    expect((await remove('account')).statusCode).toBe(404);
    expect(await world.routes.list()).toEqual([{ ...route, lanes: [] }]);
  });
});
