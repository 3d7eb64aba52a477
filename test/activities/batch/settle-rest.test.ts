import { MongoNetworkError } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createSealChunk } from '../../../activities/batch/seal-chunk.ts';
import { chunkKey, lineKey } from '../../../core/contracts/ids.ts';
import { createBatchWorld, result, row, rows, type BatchWorld } from '../../support/batch-world.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';

let database: TestDatabase;
let world: BatchWorld;
beforeAll(async () => {
  database = await openTestDatabase();
  world = await createBatchWorld(database);
});
afterAll(() => database.release());

const failed = { kind: 'failed', statusCode: 400, body: '{"error":{"code":"x"}}', usage: null } as const;

async function running(content: string): Promise<{ readonly batchId: string; readonly fileId: string }> {
  const { _id: fileId } = await world.putFile(content);
  const { _id: batchId } = await world.putBatch(fileId);
  await world.validateBatch({ batchId });
  return { batchId, fileId };
}

const customIds = async (fileId: string | null): Promise<string[]> =>
  (await world.readFile(fileId))
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { custom_id: string }).custom_id);

describe('the end of a batch whose input is gone', () => {
  it.each(['expired', 'cancelled'] as const)(
    'comes when it is %s, with what there is, and the batch says what is missing',
    async (reason) => {
      const { batchId, fileId } = await running(rows(260));
      if (reason === 'cancelled') await world.batches.transition(batchId, 'cancelling', 1);
      await world.results.insertMany([
        result(batchId, 7),
        result(batchId, 8, failed),
        ...Array.from({ length: 10 }, (_, index) => result(batchId, 251 + index)),
      ]);
      await world.files.bytes.remove(fileId);
      expect(await world.finalizeBatch({ batchId, reason })).toBe(reason);
      const batch = await world.read(batchId);
      expect(batch).toMatchObject({
        status: reason,
        counts: { total: 260, completed: 11, failed: 249 },
        errors: [{ code: 'input_lost', param: 'input_file_id', line: null }],
      });
      expect(batch.errors?.[0]?.message).toContain(`${fileId} are gone: 248 lines`);
      expect(await customIds(batch.outputFileId)).toHaveLength(11);
      expect(await customIds(batch.errorFileId)).toEqual(['id-8']);
    },
  );

  it('has the lines in its error file that are in front of what is gone in their chunk', async () => {
    const padding = { user: 'x'.repeat(800) };
    const lines = Array.from({ length: 500 }, (_, index) => `${row(`id-${index + 1}`, padding)}\n`);
    const { batchId, fileId } = await running(lines.join(''));
    await database.db.collection('bodies.chunks').deleteOne({ files_id: fileId, n: 1 });
    // A piece has 261,120 bytes: the second one begins in the middle of the second chunk.
    let bytesInFront = 0;
    const isWhole = (line: string): boolean => (bytesInFront += Buffer.byteLength(line)) <= 261_120;
    const inFront = lines.filter(isWhole).length;
    expect(inFront).toBeGreaterThan(250);
    await world.finalizeBatch({ batchId, reason: 'expired' });
    const batch = await world.read(batchId);
    expect(batch).toMatchObject({ status: 'expired', counts: { total: 500, failed: 500 } });
    const written = Array.from({ length: inFront }, (_, index) => `id-${index + 1}`);
    expect(await customIds(batch.errorFileId)).toEqual(written);
    expect(batch.errors?.[0]?.message).toContain(`${500 - inFront} lines`);
  });

  it('comes when every line has its answer, with the entries of the lane log that a crash has cut off', async () => {
    const { batchId, fileId } = await running(rows(1));
    await world.results.insertOnce(result(batchId, 1));
    await world.files.bytes.remove(fileId);
    await createSealChunk({ ...world, now: () => 1, checkIn: () => undefined })({ batchId, chunkIndex: 0 });
    expect(await world.laneLog.find(lineKey(batchId, 1))).toMatchObject({ status: 'answered', model: 'm' });
    await world.finalizeBatch({ batchId, reason: 'completed' });
    expect(await world.read(batchId)).toMatchObject({ status: 'completed', errors: null, counts: { completed: 1 } });
  });

  it('waits for a database that is away', async () => {
    const { batchId } = await running(rows(2));
    vi.spyOn(world.files.bytes, 'read').mockImplementationOnce(() => {
      throw new MongoNetworkError('gone');
    });
    await expect(world.finalizeBatch({ batchId, reason: 'expired' })).rejects.toThrow('gone');
    expect((await world.chunks.find(chunkKey(batchId, 0)))?.seal).toBeUndefined();
    await world.finalizeBatch({ batchId, reason: 'expired' });
    expect(await world.read(batchId)).toMatchObject({ status: 'expired', errors: null, counts: { failed: 2 } });
  });
});
