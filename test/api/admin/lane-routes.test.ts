import type { FastifyInstance } from 'fastify';
import { MongoNetworkError } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { registerLaneRoutes } from '../../../api/admin/lane-routes.ts';
import { createApp } from '../../../api/create-app.ts';
import { createSecretBox, newMasterKey } from '../../../core/secret-box.ts';
import { createLaneDirectory } from '../../../lanes/policy/lane-directory.ts';
import { createSilentLanes } from '../../../lanes/policy/silent-lanes.ts';
import type { KeyDoc, KeyStore } from '../../../store/keys.ts';
import type { RouteDoc } from '../../../store/routes.ts';
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

  it('takes the lane out of all routes, also where it is done and not acknowledged', async () => {
    await world.lanes.insert(plantLaneDoc('lane_gone'));
    const [gone, kept] = ['lane_gone', 'lane_kept'].map((laneId) => ({ laneId, model: 'm', weight: 2 }));
    const lanes = [gone, kept, { ...gone, model: 'n' }] as RouteDoc['lanes'];
    const route = { direct: false, metered: 'never', updatedAt: 1 } as const;
    await world.routes.put({ _id: 'some', ...route, lanes });
    await world.routes.put({ _id: 'only', ...route, lanes: lanes.slice(0, 1) });
    await world.routes.put({ _id: 'other', ...route, lanes: lanes.slice(1, 2) });
    const put = vi.spyOn(world.routes, 'put');
    const removeLane = world.lanes.remove.bind(world.lanes);
    vi.spyOn(world.lanes, 'remove').mockImplementationOnce(async (laneId) => {
      await removeLane(laneId);
      throw new MongoNetworkError('gone');
    });
    expect((await remove('lane_gone')).statusCode).toBe(503);
    expect((await remove('lane_gone')).statusCode).toBe(404);
    expect(await world.routes.list()).toEqual([
      { _id: 'only', ...route, lanes: [] },
      { _id: 'other', ...route, lanes: [kept] },
      { _id: 'some', ...route, lanes: [kept] },
    ]);
    // Written anew, a route would lose what its owner changes of it at the same time.
    expect(put).not.toHaveBeenCalled();
  });
});
