import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { registerAdminBatchRoutes } from '../../../api/admin/batch-routes.ts';
import { issueKey } from '../../../api/admin/issue-key.ts';
import { registerKeyRoutes } from '../../../api/admin/key-routes.ts';
import { cancelBatchesOf } from '../../../api/batches/cancel-batch.ts';
import { createApp } from '../../../api/create-app.ts';
import type { BatchStatus } from '../../../core/contracts/batch.ts';
import { createSecretBox, newMasterKey } from '../../../core/secret-box.ts';
import type { BatchDoc } from '../../../store/batches.ts';
import { createBatchWorld, type BatchWorld } from '../../support/batch-world.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';
import { keptLog } from '../../support/planted.ts';

const secretBox = createSecretBox(newMasterKey());
const { log, lines } = keptLog();

let database: TestDatabase;
let world: BatchWorld;
let app: FastifyInstance;
let adminKey = '';
let keyId = '';
/** Batches whose workflow was told, in order. */
let told: string[] = [];
let isTemporalAway = false;

beforeAll(async () => {
  database = await openTestDatabase();
  world = await createBatchWorld(database);
  const cancelling = {
    ...world,
    log,
    cancelBatch: async (batchId: string) => {
      if (isTemporalAway) throw new Error('away');
      told.push(batchId);
    },
  };
  app = createApp({ keys: world.keys, secretBox, log, defaultAccess: 'admin' });
  registerKeyRoutes(app, { ...world, secretBox, cancelBatchesOf: (id) => cancelBatchesOf(cancelling, id) });
  registerAdminBatchRoutes(app, cancelling);
  adminKey = (await issueKey({ ...world, secretBox }, { name: 'owner', planLanes: true, admin: true })).secret;
});
afterAll(async () => {
  await app.close();
  await database.release();
});
beforeEach(async () => {
  told = [];
  isTemporalAway = false;
  lines.splice(0);
  keyId = (await issueKey({ ...world, secretBox }, { name: 'app', planLanes: false, admin: false })).key.keyId;
});

async function ask(method: 'GET' | 'POST' | 'DELETE', url: string) {
  const response = await app.inject({ method, url, headers: { authorization: `Bearer ${adminKey}` } });
  return { status: response.statusCode, body: response.json<unknown>() };
}
const put = (status: BatchStatus, ownerId = keyId): Promise<BatchDoc> => world.putBatch('file-x', { status, ownerId });
const statusOf = async ({ _id }: BatchDoc): Promise<BatchStatus> => (await world.read(_id)).status;

describe('a key that is revoked', () => {
  it('has its batches that are not over cancelled, and nobody else’s', async () => {
    const [validating, running] = [await put('validating'), await put('in_progress')];
    const [ending, over, other] = [await put('finalizing'), await put('completed'), await put('in_progress', 'key_2')];
    expect(await ask('DELETE', `/admin/keys/${keyId}`)).toMatchObject({
      status: 200,
      body: { key: { id: keyId, revokedAt: world.clock.now(), revokedBatches: 'cancel' }, cancelledBatches: 2 },
    });
    expect(told.toSorted()).toEqual([validating._id, running._id].toSorted());
    expect([await statusOf(validating), await statusOf(running)]).toEqual(['cancelling', 'cancelling']);
    expect([await statusOf(ending), await statusOf(over), await statusOf(other)]).toEqual([
      'finalizing',
      'completed',
      'in_progress',
    ]);
  });

  it('has them finished where its owner says so', async () => {
    const running = await put('in_progress');
    expect(await ask('DELETE', `/admin/keys/${keyId}?batches=finish`)).toMatchObject({
      status: 200,
      body: { key: { revokedBatches: 'finish' }, cancelledBatches: 0 },
    });
    expect([await statusOf(running), told]).toEqual(['in_progress', []]);
    expect(await world.keys.listEndingBatches([keyId])).toEqual([]);
  });

  it('has any number of batches cancelled, though Temporal can’t be told of it now', async () => {
    const all: BatchDoc[] = [];
    for (let index = 0; index < 205; index++) all.push(await put('in_progress'));
    isTemporalAway = true;
    expect(await ask('DELETE', `/admin/keys/${keyId}`)).toMatchObject({ status: 200, body: { cancelledBatches: 205 } });
    expect(new Set(await Promise.all(all.map(statusOf)))).toEqual(new Set(['cancelling']));
    expect(lines.filter((line) => line.includes('could not be told'))).toHaveLength(205);
  });

  it('can have them cancelled afterwards, by an owner who says so', async () => {
    await ask('DELETE', `/admin/keys/${keyId}?batches=finish`);
    const revokedAt = world.clock.now();
    world.clock.advance(5);
    const running = await put('in_progress');
    expect(await ask('DELETE', `/admin/keys/${keyId}`)).toMatchObject({ status: 404 });
    expect(await statusOf(running)).toBe('in_progress');
    expect(await ask('DELETE', `/admin/keys/${keyId}?batches=cancel`)).toMatchObject({
      status: 200,
      body: { key: { revokedAt, revokedBatches: 'cancel' }, cancelledBatches: 1 },
    });
    expect(await statusOf(running)).toBe('cancelling');
  });

  it('from before there was a choice counts as one whose batches finish', async () => {
    await database.db.collection('keys').updateOne({ keyId }, { $set: { revokedAt: 7 } });
    expect(await world.keys.listEndingBatches([keyId])).toEqual([]);
    expect((await ask('GET', '/admin/keys')).body).toMatchObject({
      data: expect.arrayContaining([expect.objectContaining({ id: keyId, revokedBatches: 'finish' })]) as unknown[],
    });
  });

  it.each(['', '?batches=cancel'])('is a 404 when nobody knows it: %s', async (query) => {
    expect(await ask('DELETE', `/admin/keys/key_none${query}`)).toMatchObject({ status: 404 });
  });

  it('stays as it is when what is to become of its batches makes no sense', async () => {
    expect(await ask('DELETE', `/admin/keys/${keyId}?batches=keep`)).toMatchObject({
      status: 400,
      body: { error: { param: 'batches' } },
    });
    expect(await world.keys.find(keyId)).toMatchObject({ revokedAt: null });
  });
});

describe('a batch of any key', () => {
  it('is cancelled by the owner, as often as they say so', async () => {
    const batch = await put('in_progress');
    for (let time = 0; time < 2; time++) {
      expect(await ask('POST', `/admin/batches/${batch._id}/cancel`)).toMatchObject({
        status: 200,
        body: { keyId, batch: { id: batch._id, object: 'batch', status: 'cancelling' } },
      });
    }
    expect(told).toEqual([batch._id, batch._id]);
  });

  it('is cancelled also when its workflow can not be told, which is left to the sweep', async () => {
    const batch = await put('in_progress');
    isTemporalAway = true;
    expect(await ask('POST', `/admin/batches/${batch._id}/cancel`)).toMatchObject({
      status: 200,
      body: { batch: { status: 'cancelling' } },
    });
    expect(lines.some((line) => line.includes(batch._id))).toBe(true);
  });

  it('is not when it is over, or not there', async () => {
    const { _id } = await put('completed');
    expect(await ask('POST', `/admin/batches/${_id}/cancel`)).toMatchObject({ status: 409 });
    expect(await ask('POST', '/admin/batches/batch_none/cancel')).toMatchObject({ status: 404 });
    expect(told).toEqual([]);
  });
});
