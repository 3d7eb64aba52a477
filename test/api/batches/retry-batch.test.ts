import { MongoNetworkError } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { BatchObject } from '../../../core/wire/batch-object.ts';
import type { BatchDoc } from '../../../store/batches.ts';
import { result, rows } from '../../support/batch-world.ts';
import { startFileApi, type FileApi } from '../../support/file-api.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';

let database: TestDatabase;
let api: FileApi;
beforeAll(async () => {
  database = await openTestDatabase();
  api = await startFileApi(database);
});
afterAll(async () => {
  await api.app.close();
  await database.release();
});

const gone = new MongoNetworkError('gone');

/** A batch of two lines that is over, one of them without an answer. */
async function ended(): Promise<string> {
  const file = await api.putFile(rows(2), { ownerId: api.ownerId });
  const { _id } = await api.putBatch(file._id, { ownerId: api.ownerId });
  await api.validateBatch({ batchId: _id });
  await api.results.insertMany([result(_id, 1), result(_id, 2, { kind: 'failed', usage: null })]);
  await api.finalizeBatch({ batchId: _id, reason: 'completed' });
  return _id;
}

async function retry(batchId: string) {
  const headers = { authorization: `Bearer ${api.secret}` };
  const response = await api.app.inject({ method: 'POST', url: `/v1/batches/${batchId}/retry`, headers });
  return { status: response.statusCode, batch: response.json<BatchObject>() };
}

/** The files that the caller sees of the retries of a batch. */
const copies = async (batchId: string): Promise<string[]> =>
  (await api.client.files.list()).data
    .filter(({ filename }) => filename === `${batchId}_retry.jsonl`)
    .map(({ id }) => id);

describe('the copy of the rows that a retry sends', () => {
  it('is taken back where the batch, or the copy itself, can not be stored', async () => {
    const batchId = await ended();
    vi.spyOn(api.batches, 'insert').mockRejectedValueOnce(gone);
    expect(await retry(batchId)).toMatchObject({ status: 503 });
    expect(await copies(batchId)).toEqual([]);
    const insertOnce = api.files.insertOnce.bind(api.files);
    vi.spyOn(api.files, 'insertOnce').mockImplementationOnce(async (file) => {
      await insertOnce(file);
      throw gone;
    });
    expect(await retry(batchId)).toMatchObject({ status: 503 });
    expect(await copies(batchId)).toEqual([]);
    const { status, batch } = await retry(batchId);
    expect(status).toBe(200);
    expect(await copies(batchId)).toEqual([batch.input_file_id]);
  });

  it.each([true, false])(
    'stays for a batch that is stored and not acknowledged, whether it is seen at once: %s',
    async (isSeen) => {
      const batchId = await ended();
      const [insert, find] = [api.batches.insert.bind(api.batches), api.batches.find.bind(api.batches)];
      const looks = vi.spyOn(api.batches, 'find');
      let stored: BatchDoc | undefined;
      vi.spyOn(api.batches, 'insert').mockImplementationOnce(async (batch) => {
        stored = await insert(batch);
        if (!isSeen) looks.mockRejectedValue(gone);
        throw gone;
      });
      expect(await retry(batchId)).toMatchObject({ status: 503 });
      looks.mockImplementation(find);
      const { status, batch } = await retry(batchId);
      expect(status).toBe(200);
      expect(batch).toMatchObject({ id: stored?._id, input_file_id: stored?.inputFileId });
      expect(await copies(batchId)).toEqual([stored?.inputFileId]);
      looks.mockRestore();
    },
  );
});
