import { MongoBulkWriteError, MongoServerError, type BulkWriteResult, type Db, type WriteConcernError } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { createBatchResultStore, type BatchResultDoc } from '../../store/batch-results.ts';
import { isDuplicateKey } from '../../store/database.ts';

const NO_MAJORITY = { code: 64, errmsg: 'waiting for replication timed out' } as unknown as WriteConcernError;

/** What the driver throws for several documents, of which the first failed with this code. */
const bulkError = (codes: readonly number[], concern?: WriteConcernError): MongoBulkWriteError => {
  const writeErrors = codes.map((code, index) => ({ code, index }));
  const failure = { message: 'failed', code: codes[0], writeErrors } as unknown as MongoServerError;
  return new MongoBulkWriteError(failure, { getWriteConcernError: () => concern } as BulkWriteResult);
};

describe('a duplicate key', () => {
  it.each([
    ['one document that is there', new MongoServerError({ message: 'duplicate', code: 11_000 }), true],
    ['several that are there', bulkError([11_000, 11_000]), true],
    ['one of several that failed otherwise', bulkError([11_000, 121]), false],
    ['others that no majority has acknowledged', bulkError([11_000], NO_MAJORITY), false],
    ['another failure', new Error('away'), false],
  ])('is told from the error of %s', (_what, error, expected) => {
    expect(isDuplicateKey(error)).toBe(expected);
  });
});

describe('outcomes of lines of which some are there already', () => {
  const doc = { _id: 'batch_a:000001', line: 1, requestId: 'req_1' } as BatchResultDoc;
  const storeThatFails = (error: Error) => {
    const results = {
      insertMany: async () => {
        throw error;
      },
      find: () => ({ project: () => ({ toArray: async () => [{ _id: doc._id, requestId: 'req_2' }] }) }),
    };
    return createBatchResultStore({ collection: () => results } as unknown as Db);
  };

  it('are told apart from those that are new', async () => {
    const outcome = storeThatFails(bulkError([11_000])).insertMany([doc, { ...doc, _id: 'batch_a:000002', line: 2 }]);
    expect(await outcome).toEqual({ stored: [2], duplicates: [1] });
  });

  it('are written again when no majority has acknowledged the others', async () => {
    const error = bulkError([11_000], NO_MAJORITY);
    await expect(storeThatFails(error).insertMany([doc])).rejects.toBe(error);
  });
});
