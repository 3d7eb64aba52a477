import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFinalizeBatch } from '../../../activities/batch/finalize-batch.ts';
import { createKeepAttempts } from '../../../activities/batch/keep-attempts.ts';
import { resultFileId } from '../../../activities/batch/write-result-file.ts';
import type { CarriedLine } from '../../../core/contracts/batch.ts';
import { chunkKey, lineKey } from '../../../core/contracts/ids.ts';
import { createBatchWorld, DAY_MS, OWNER, result, rows, type BatchWorld } from '../../support/batch-world.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';

let database: TestDatabase;
let world: BatchWorld;
beforeAll(async () => {
  database = await openTestDatabase();
  world = await createBatchWorld(database);
});
afterAll(() => database.release());

async function running(count: number, given: Parameters<BatchWorld['putBatch']>[1] = {}): Promise<string> {
  const { _id } = await world.putBatch((await world.putFile(rows(count)))._id, given);
  expect(await world.validateBatch({ batchId: _id })).toMatchObject({ valid: true });
  return _id;
}

interface OutputLine {
  readonly custom_id: string;
  readonly response: { readonly status_code: number; readonly body: unknown } | null;
  readonly error: { readonly code: string } | null;
}

async function readLines(fileId: string | null): Promise<OutputLine[]> {
  const text = await world.readFile(fileId);
  expect(text.endsWith('\n')).toBe(true);
  return text
    .slice(0, -1)
    .split('\n')
    .map((line) => JSON.parse(line) as OutputLine);
}

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const bodies = (): Promise<number> => database.db.collection('bodies.files').countDocuments();
const failed = { kind: 'failed', statusCode: 400, body: '{"error":{"code":"x"}}', usage: null } as const;

describe('the end of a batch', () => {
  it('makes up for entries of the lane log that a crash has cut off', async () => {
    const batchId = await running(3);
    await world.results.insertMany([result(batchId, 1), result(batchId, 2)]);
    const first = lineKey(batchId, 1);
    const paid = { itemId: first, batchId, keyId: OWNER, laneId: 'lane', costMicros: 7, meterMicros: 8, at: 1 };
    await world.ledger.settle([{ ...paid, _id: `${first}#1.1` }]);
    await world.finalizeBatch({ batchId, reason: 'cancelled' });
    expect(await world.laneLog.find(first)).toMatchObject({
      status: 'answered',
      keyId: OWNER,
      model: 'm',
      laneId: 'lane',
      usage: { promptTokens: 10 },
      costMicros: 7,
      meterMicros: 8,
    });
    expect(await world.laneLog.find(lineKey(batchId, 2))).toMatchObject({ status: 'answered', costMicros: 0 });
    // The third was never asked of a lane.
    expect(await world.laneLog.find(lineKey(batchId, 3))).toBeNull();
  });

  it('tells in the lane log what was tried for lines that came to nothing, and nothing else of others', async () => {
    const batchId = await running(4);
    const attempt = {
      laneId: 'lane',
      attempt: 1,
      outcome: 'broken',
      reachedUpstream: true,
      startedAt: 1,
      durationMs: 2,
    } as const;
    const tried = (line: number, more = {}): CarriedLine => ({
      line,
      model: 'm',
      attempts: [{ ...attempt, ...more }],
      pauses: 0,
    });
    await world.results.insertMany([result(batchId, 3)]);
    const keepAttempts = createKeepAttempts(world);
    await keepAttempts({ batchId, chunkIndex: 0, lines: [tried(1)] });
    await keepAttempts({ batchId, chunkIndex: 0, lines: [tried(1), tried(2, { costUnknown: true }), tried(3)] });
    await world.finalizeBatch({ batchId, reason: 'cancelled' });
    const entry = { kind: 'line', keyId: OWNER, model: 'm', status: 'failed', httpStatus: null, laneId: null };
    expect(await world.laneLog.find(lineKey(batchId, 1))).toMatchObject({
      ...entry,
      costMicros: 0,
      attempts: [attempt],
    });
    expect(await world.laneLog.find(lineKey(batchId, 2))).toMatchObject({ ...entry, costMicros: null });
    expect(await world.laneLog.find(lineKey(batchId, 3))).toMatchObject({ status: 'answered', laneId: 'lane' });
    expect(await world.laneLog.find(lineKey(batchId, 4))).toBeNull();
    expect(await world.chunks.find(chunkKey(batchId, 0))).not.toHaveProperty('tried');
    await keepAttempts({ batchId, chunkIndex: 0, lines: [tried(1)] });
    expect(await world.chunks.find(chunkKey(batchId, 0))).not.toHaveProperty('tried');
  });

  it('writes every line once, in line order, with counts and usage of what is there', async () => {
    const batchId = await running(310);
    const bad = new Set([2, 100, 251, 310]);
    // In a wrong order, and with running counts that are wrong: the end counts for itself.
    const results = numbers(1, 310).map((line) => result(batchId, line, bad.has(line) ? failed : {}));
    await world.results.insertMany(results.toReversed());
    world.clock.advance(1000);
    await world.finalizeBatch({ batchId, reason: 'completed' });

    const batch = await world.read(batchId);
    expect(batch).toMatchObject({
      status: 'completed',
      counts: { total: 310, completed: 306, failed: 4 },
      usage: { promptTokens: 3060, cachedPromptTokens: 1224, completionTokens: 1530, reasoningTokens: 612 },
      finalizingAt: world.clock.now(),
      completedAt: world.clock.now(),
    });
    const output = await readLines(batch.outputFileId);
    expect(output.map(({ custom_id }) => custom_id)).toEqual(
      numbers(1, 310)
        .filter((line) => !bad.has(line))
        .map((line) => `id-${line}`),
    );
    expect(output[0]).toMatchObject({ response: { status_code: 200, body: { answer: 1 } }, error: null });
    const errors = await readLines(batch.errorFileId);
    expect(errors.map(({ custom_id }) => custom_id)).toEqual(['id-2', 'id-100', 'id-251', 'id-310']);
    expect(errors[0]).toMatchObject({ response: { status_code: 400, body: { error: { code: 'x' } } }, error: null });
  });

  it('makes files of its owner that live 30 days, or as long as was asked for', async () => {
    for (const [asked, days] of [
      [null, 30],
      [2 * 86_400, 2],
    ] as const) {
      const batchId = await running(1, { outputExpiresAfterSeconds: asked });
      await world.results.insertOnce(result(batchId, 1));
      await world.finalizeBatch({ batchId, reason: 'completed' });
      const { outputFileId, errorFileId } = await world.read(batchId);
      expect(errorFileId).toBeNull();
      expect(await world.files.findOwned(OWNER, outputFileId ?? '', world.clock.now())).toMatchObject({
        purpose: 'batch_output',
        filename: `${batchId}_output.jsonl`,
        expiresAt: world.clock.now() + days * DAY_MS,
        batchId,
      });
    }
  });

  it('has no output file when every line failed, and is completed all the same', async () => {
    const batchId = await running(2);
    await world.results.insertMany([1, 2].map((line) => result(batchId, line, failed)));
    await world.finalizeBatch({ batchId, reason: 'completed' });
    expect(await world.read(batchId)).toMatchObject({ status: 'completed', outputFileId: null, counts: { failed: 2 } });
  });

  it('refuses to be completed while a line has no outcome', async () => {
    const batchId = await running(3);
    await world.results.insertMany([1, 3].map((line) => result(batchId, line)));
    await expect(world.finalizeBatch({ batchId, reason: 'completed' })).rejects.toThrow('1 lines of chunk 0');
    expect(await world.read(batchId)).toMatchObject({ status: 'in_progress', outputFileId: null });
  });

  it.each([
    ['expired', 'batch_expired'],
    ['cancelled', 'batch_cancelled'],
  ] as const)('gives every line that was not served its outcome when it is %s', async (reason, code) => {
    const batchId = await running(260);
    if (reason === 'cancelled') await world.batches.transition(batchId, 'cancelling', 1);
    await world.results.insertMany([7, 258].map((line) => result(batchId, line)));
    await world.finalizeBatch({ batchId, reason });
    const batch = await world.read(batchId);
    expect(batch).toMatchObject({ status: reason, counts: { total: 260, completed: 2, failed: 258 } });
    expect((await readLines(batch.outputFileId)).map(({ custom_id }) => custom_id)).toEqual(['id-7', 'id-258']);
    const errors = await readLines(batch.errorFileId);
    expect(errors).toHaveLength(258);
    expect(errors.every(({ response, error }) => response === null && error?.code === code)).toBe(true);
    expect(await world.results.insertOnce(result(batchId, 1))).toBe('duplicate');
  });

  it('is reached without files from validation', async () => {
    const file = await world.putFile(rows(2));
    for (const [status, reason] of [
      ['cancelling', 'cancelled'],
      ['validating', 'expired'],
    ] as const) {
      const { _id } = await world.putBatch(file._id, { status });
      await world.finalizeBatch({ batchId: _id, reason });
      expect(await world.read(_id)).toMatchObject({
        status: reason,
        outputFileId: null,
        errorFileId: null,
        counts: { total: 0 },
      });
    }
  });

  it('is the same when it is reached twice', async () => {
    const batchId = await running(3);
    await world.results.insertMany(numbers(1, 3).map((line) => result(batchId, line)));
    await world.finalizeBatch({ batchId, reason: 'completed' });
    const before = await world.read(batchId);
    await world.finalizeBatch({ batchId, reason: 'expired' });
    expect(await world.read(batchId)).toEqual(before);
  });

  it('survives several that bring it about at once, and leaves the bytes of one', async () => {
    const batchId = await running(120);
    await world.results.insertMany(numbers(1, 120).map((line) => result(batchId, line)));
    const stored = await bodies();
    const tries = numbers(1, 4).map(() => world.finalizeBatch({ batchId, reason: 'completed' }));
    await Promise.all(tries);
    const batch = await world.read(batchId);
    expect(batch.status).toBe('completed');
    expect(await readLines(batch.outputFileId)).toHaveLength(120);
    expect(await bodies()).toBe(stored + 1);
  });

  it('goes on after a crash in the middle of a file', async () => {
    const batchId = await running(3);
    await world.results.insertMany(numbers(1, 3).map((line) => result(batchId, line)));
    const crashing = createFinalizeBatch({
      ...world,
      now: () => world.clock.now(),
      files: { ...world.files, insertOnce: () => Promise.reject(new Error('killed')) },
      checkIn: () => {},
    });
    await expect(crashing({ batchId, reason: 'completed' })).rejects.toThrow('killed');
    expect(await world.read(batchId)).toMatchObject({ status: 'finalizing', outputFileId: null });
    expect(await world.files.find(resultFileId(batchId, 'completed'))).toBeNull();
    // Its time is over meanwhile; it was complete before, so it is not expired.
    await world.finalizeBatch({ batchId, reason: 'expired' });
    expect(await world.read(batchId)).toMatchObject({ status: 'completed', counts: { completed: 3 } });
  });

  it('keeps to a cancel that comes after the last line', async () => {
    const batchId = await running(2);
    await world.results.insertMany([1, 2].map((line) => result(batchId, line)));
    await world.batches.transition(batchId, 'cancelling', 1);
    await world.finalizeBatch({ batchId, reason: 'completed' });
    const batch = await world.read(batchId);
    expect(batch).toMatchObject({ status: 'cancelled', counts: { completed: 2, failed: 0 }, errorFileId: null });
    expect(await readLines(batch.outputFileId)).toHaveLength(2);
  });

  it('loses no line when validation ends in the moment in which the batch expires', async () => {
    const { _id: batchId } = await world.putBatch((await world.putFile(rows(5)))._id);
    let late = true;
    const results: BatchWorld['results'] = world.results;
    const batches: BatchWorld['batches'] = {
      ...world.batches,
      transition: async (...change) => {
        if (late) {
          late = false;
          await world.validateBatch({ batchId });
        }
        return world.batches.transition(...change);
      },
    };
    await createFinalizeBatch({ ...world, results, batches, now: () => world.clock.now(), checkIn: () => {} })({
      batchId,
      reason: 'expired',
    });
    const batch = await world.read(batchId);
    expect(batch).toMatchObject({ status: 'expired', counts: { total: 5, failed: 5 } });
    expect(await readLines(batch.errorFileId)).toHaveLength(5);
  });

  it('removes the bytes of an input that was deleted meanwhile', async () => {
    const batchId = await running(1);
    const { inputFileId } = await world.read(batchId);
    await world.files.markDeleted(OWNER, inputFileId, world.clock.now());
    await world.results.insertOnce(result(batchId, 1));
    await world.finalizeBatch({ batchId, reason: 'completed' });
    expect(await world.files.find(inputFileId)).toMatchObject({ bytesRemoved: true });
  });
});
