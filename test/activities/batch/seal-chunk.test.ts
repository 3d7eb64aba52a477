import { constants } from 'node:buffer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSealChunk } from '../../../activities/batch/seal-chunk.ts';
import { chunkKey } from '../../../core/contracts/ids.ts';
import { createBatchWorld, result, rows, type BatchWorld } from '../../support/batch-world.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';

let database: TestDatabase;
let world: BatchWorld;
beforeAll(async () => {
  database = await openTestDatabase();
  world = await createBatchWorld(database);
});
afterAll(() => database.release());

const failed = { kind: 'failed', statusCode: 400, body: '{"error":{"code":"x"}}', usage: null } as const;

async function running(count: number): Promise<string> {
  const { _id } = await world.putBatch((await world.putFile(rows(count)))._id);
  await world.validateBatch({ batchId: _id });
  return _id;
}

const sealer = (): ReturnType<typeof createSealChunk> =>
  createSealChunk({ ...world, now: () => world.clock.now(), checkIn: () => {} });
const bodies = (): Promise<number> => database.db.collection('bodies.files').countDocuments();

describe('the end of a chunk', () => {
  it('writes the lines of each kind and counts them, once', async () => {
    const batchId = await running(252);
    await world.results.insertMany([result(batchId, 251), { ...result(batchId, 252), ...failed }]);
    const before = await bodies();
    await sealer()({ batchId, chunkIndex: 1 });
    const { seal } = (await world.chunks.find(chunkKey(batchId, 1))) ?? {};
    expect(seal).toMatchObject({ completed: { lines: 1 }, failed: { lines: 1 }, usage: { promptTokens: 10 } });
    await sealer()({ batchId, chunkIndex: 1 });
    expect(await bodies()).toBe(before + 2);
    expect((await world.chunks.find(chunkKey(batchId, 1)))?.seal).toEqual(seal);
  });

  it('leaves the bytes of one when it happens twice at once, and nobody takes them for left over', async () => {
    const batchId = await running(1);
    await world.results.insertOnce(result(batchId, 1));
    const before = await bodies();
    await Promise.all([1, 2, 3].map(() => sealer()({ batchId, chunkIndex: 0 })));
    expect(await bodies()).toBe(before + 1);
    const bodyId = (await world.chunks.find(chunkKey(batchId, 0)))?.seal?.completed.bodyId ?? '';
    // As if the process had died before it could say that the bytes have found their place.
    await database.db
      .collection<{ _id: string; writtenAt: number }>('unclaimed_bodies')
      .insertOne({ _id: bodyId, writtenAt: 1 });
    await world.files.removeOrphans(2, 10, (id) => world.chunks.holds(id));
    await expect(world.files.bytes.read(bodyId).next()).resolves.toMatchObject({ done: false });
  });

  it('comes also when its answers together are longer than a string can be', async () => {
    const batchId = await running(40);
    const lines = Array.from({ length: 40 }, (_, index) => index + 1);
    await world.results.insertMany(lines.map((line) => result(batchId, line)));
    const body = JSON.stringify('x'.repeat(14 * 1024 * 1024));
    // Stored for real they would take a gigabyte.
    const results: typeof world.results = {
      ...world.results,
      async *readWhole(_, outcomes) {
        for (const { line } of outcomes) yield result(batchId, line, { body });
      },
    };
    const write: typeof world.files.bytes.write = async (_, source) => {
      let bytes = 0;
      for await (const piece of source) bytes += piece.length;
      return { bytes, sha256: '' };
    };
    const files = { bytes: { ...world.files.bytes, write } };
    const deps = { ...world, results, files, now: () => world.clock.now(), checkIn: () => {} };
    await createSealChunk(deps)({ batchId, chunkIndex: 0 });
    const { completed } = (await world.chunks.find(chunkKey(batchId, 0)))?.seal ?? {};
    expect(completed?.lines).toBe(40);
    expect(completed?.bytes).toBeGreaterThan(constants.MAX_STRING_LENGTH);
  });

  it('writes large answers among small ones in their order', async () => {
    const batchId = await running(4);
    const large = JSON.stringify('x'.repeat(5 * 1024 * 1024));
    const bodies = new Map([[3, large]]);
    await world.results.insertMany(
      [1, 2, 3, 4].map((line) => result(batchId, line, { body: bodies.get(line) ?? '1' })),
    );
    await sealer()({ batchId, chunkIndex: 0 });
    const { completed } = (await world.chunks.find(chunkKey(batchId, 0)))?.seal ?? {};
    const written: string[] = [];
    for await (const piece of world.files.bytes.read(completed?.bodyId ?? '')) written.push(piece.toString('utf8'));
    const read = written
      .join('')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { response: { body: unknown } });
    expect(read.map(({ response }) => JSON.stringify(response.body))).toEqual(['1', '1', large, '1']);
  });

  it('is refused while a line has no outcome', async () => {
    const batchId = await running(2);
    await world.results.insertOnce(result(batchId, 1));
    await expect(sealer()({ batchId, chunkIndex: 0 })).rejects.toThrow('1 lines of chunk 0');
    expect((await world.chunks.find(chunkKey(batchId, 0)))?.seal).toBeUndefined();
  });
});
