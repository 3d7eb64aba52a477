import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chunkKey } from '../../core/contracts/ids.ts';
import { createHousekeeping } from '../../workers/housekeeping.ts';
import { createBatchWorld, DAY_MS, OWNER, rows, type BatchWorld } from '../support/batch-world.ts';
import { openTestDatabase, type TestDatabase } from '../support/mongodb.ts';
import { keptLog } from '../support/planted.ts';

let database: TestDatabase;
let world: BatchWorld;
beforeAll(async () => {
  database = await openTestDatabase();
  world = await createBatchWorld(database);
  await world.chunks.ensureIndexes();
});
afterAll(() => database.release());

const NOTHING = { files: 0, requests: 0, batches: 0, orphans: 0 };

describe('housekeeping', () => {
  it('removes what is past its end, once, whoever else does it at the same time', async () => {
    const { log, lines } = keptLog();
    const [mine, theirs] = [1, 2].map(() => createHousekeeping({ stores: world, clock: world.clock, log }));
    const now = world.clock.now();
    const expired = await world.putFile('old', { expiresAt: now - 1 });
    const kept = await world.putFile('kept');
    const request = {
      keyId: OWNER,
      model: 'm',
      body: '{}',
      stream: false,
      replyTo: null,
      createdAt: now,
      result: null,
    };
    await world.requests.insert({ ...request, _id: 'req_old', expireAt: now - 1 });
    await world.requests.insert({ ...request, _id: 'req_new', expireAt: now + 1 });
    await Promise.all([mine?.run(), theirs?.run()]);
    expect(await world.files.find(expired._id)).toMatchObject({ bytesRemoved: true });
    expect(await world.readFile(kept._id)).toBe('kept');
    expect(await world.requests.find('req_old')).toBeNull();
    expect(await world.requests.find('req_new')).not.toBeNull();
    expect(await mine?.run()).toEqual(NOTHING);
    expect(lines.filter((line) => line.includes('a step of the housekeeping failed'))).toEqual([]);
  });

  it('removes the chunks of a batch a day after its end, and not before', async () => {
    const keeper = createHousekeeping({ stores: world, clock: world.clock, log: keptLog().log });
    const file = await world.putFile(rows(600));
    const batch = await world.putBatch(file._id);
    expect(await world.validateBatch({ batchId: batch._id })).toEqual({ valid: true, chunks: 3 });
    expect(await keeper.run()).toEqual(NOTHING);
    await world.finalizeBatch({ batchId: batch._id, reason: 'cancelled' });
    expect(await keeper.run()).toEqual(NOTHING);
    expect(await world.chunks.find(chunkKey(batch._id, 2))).not.toBeNull();
    world.clock.advance(DAY_MS + 1);
    expect(await keeper.run()).toMatchObject({ batches: 1 });
    for (const index of [0, 1, 2]) expect(await world.chunks.find(chunkKey(batch._id, index))).toBeNull();
    expect(await keeper.run()).toEqual(NOTHING);
  });

  it('goes on with the other steps when one fails, and ends with the step that is under way', async () => {
    const { log, lines } = keptLog();
    const requests = { ...world.requests, removeExpired: async () => Promise.reject(new Error('away')) };
    const keeper = createHousekeeping({ stores: { ...world, requests }, clock: world.clock, log });
    const orphan = 'file-orphan';
    await world.files.bytes.write(orphan, [Buffer.from('x')] as unknown as AsyncIterable<Uint8Array>);
    world.clock.advance(Date.now() - world.clock.now() + 2 * DAY_MS);
    expect(await keeper.run()).toMatchObject({ requests: 0, orphans: 1 });
    expect(lines.filter((line) => line.includes('a step of the housekeeping failed'))).toHaveLength(1);
    keeper.start();
    await keeper.stop();
    expect(await keeper.run()).toEqual(NOTHING);
  });
});
