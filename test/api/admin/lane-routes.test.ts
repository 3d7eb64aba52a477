import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerLaneRoutes } from '../../../api/admin/lane-routes.ts';
import { createApp } from '../../../api/create-app.ts';
import { createSecretBox, newMasterKey } from '../../../core/secret-box.ts';
import { createLaneDirectory } from '../../../lanes/policy/lane-directory.ts';
import { createSilentLanes } from '../../../lanes/policy/silent-lanes.ts';
import type { KeyDoc, KeyStore } from '../../../store/keys.ts';
import { createBatchWorld, type BatchWorld } from '../../support/batch-world.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';
import { plantLaneDoc, silentLog } from '../../support/planted.ts';

const ADMIN_KEY = `sk-fl-${'b'.repeat(43)}`;

let database: TestDatabase;
let world: BatchWorld;
let app: FastifyInstance;
beforeAll(async () => {
  database = await openTestDatabase();
  world = await createBatchWorld(database);
  const { lanes, routes, providerRuns, clock } = world;
  const secretBox = createSecretBox(newMasterKey());
  const admin = { keyId: 'key_admin', name: 'planted', admin: true, planLanes: true } as KeyDoc;
  const keys = { findActive: async () => admin } as unknown as KeyStore;
  const directory = createLaneDirectory({ listLanes: () => lanes.list(), listRoutes: () => routes.list(), clock });
  app = createApp({ keys, secretBox, log: silentLog, defaultAccess: 'admin' });
  const markSilent = createSilentLanes(() => 0);
  const checkAddress = async (): Promise<void> => undefined;
  registerLaneRoutes(app, { lanes, routes, providerRuns, directory, secretBox, clock, checkAddress, markSilent });
});
afterAll(async () => {
  await app.close();
  await database.release();
});

const remove = (laneId: string) =>
  app.inject({ method: 'DELETE', url: `/admin/lanes/${laneId}`, headers: { authorization: `Bearer ${ADMIN_KEY}` } });

describe('the removal of a key lane', () => {
  it('is refused while its provider has lines of a batch, and done when they are back', async () => {
    await world.lanes.insert(plantLaneDoc('lane_busy'));
    const { _id: batchId } = await world.putBatch('file-1', { status: 'in_progress' });
    const lane = { laneId: 'lane_busy', kind: 'key', alias: 'busy', model: 'm', concurrency: 4 } as const;
    const takenBackAt = Date.UTC(2030, 0, 1);
    await world.providerRuns.begin(batchId, { number: 1, lane, model: 'm', firstChunk: 3, endChunk: 5, takenBackAt });
    const refused = await remove('lane_busy');
    expect(refused.statusCode).toBe(409);
    expect(refused.body).toContain(batchId);
    expect(refused.body).toContain('2030-01-01T00:00:00.000Z');
    expect(await world.lanes.find('lane_busy')).not.toBeNull();

    await world.providerRuns.end(batchId, 1);
    expect((await remove('lane_busy')).statusCode).toBe(200);
    expect(await world.lanes.find('lane_busy')).toBeNull();
  });

  it('does not wait for a run of a batch that is over', async () => {
    await world.lanes.insert(plantLaneDoc('lane_idle'));
    const lane = { laneId: 'lane_idle', kind: 'key', alias: 'idle', model: 'm', concurrency: 4 } as const;
    const run = { number: 1, lane, model: 'm', firstChunk: 3, endChunk: 5, takenBackAt: 1, made: {}, isOver: false };
    await world.putBatch('file-1', { status: 'expired', providerRun: run });
    expect((await remove('lane_idle')).statusCode).toBe(200);
  });
});
