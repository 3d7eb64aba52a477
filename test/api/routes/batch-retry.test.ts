import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BatchObject } from '../../../core/wire/batch-object.ts';
import type { BatchDoc } from '../../../store/batches.ts';
import { DAY_MS, result, row, rows } from '../../support/batch-world.ts';
import { startFileApi, type FileApi } from '../../support/file-api.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';
import { plantLaneDoc } from '../../support/planted.ts';

let database: TestDatabase;
let api: FileApi;
beforeAll(async () => {
  database = await openTestDatabase();
  api = await startFileApi(database);
  await api.lanes.insert({ ...plantLaneDoc('meter'), _id: 'aaaaaaaaaaaa' });
  await api.lanes.insert({ ...plantLaneDoc('home'), _id: 'bbbbbbbbbbbb', kind: 'plan' });
});
afterAll(async () => {
  await api.app.close();
  await database.release();
});

const FAILED = { kind: 'failed', statusCode: 500, body: '{"error":{"code":"x"}}', usage: null } as const;

interface Ended {
  readonly lines: number;
  readonly failed?: readonly number[];
  readonly answered?: readonly number[];
  readonly reason?: 'completed' | 'expired' | 'cancelled';
  readonly given?: Partial<BatchDoc>;
  readonly content?: string;
}

/** A batch that is over: lines that are named neither failed nor answered were not served. */
async function ended({ lines, failed = [], answered = [], reason = 'completed', given, content }: Ended) {
  const file = await api.putFile(content ?? rows(lines), { ownerId: api.ownerId });
  const { _id } = await api.putBatch(file._id, { ownerId: api.ownerId, ...given });
  await api.validateBatch({ batchId: _id });
  await api.results.insertMany([
    ...answered.map((line) => result(_id, line)),
    ...failed.map((line) => result(_id, line, FAILED)),
  ]);
  if (reason === 'cancelled') await api.batches.transition(_id, 'cancelling', api.clock.now());
  await api.finalizeBatch({ batchId: _id, reason });
  return { batchId: _id, fileId: file._id };
}

async function retry(batchId: string, body?: object) {
  const response = await api.app.inject({
    method: 'POST',
    url: `/v1/batches/${batchId}/retry`,
    headers: { authorization: `Bearer ${api.secret}` },
    ...(body === undefined ? {} : { payload: body }),
  });
  return { status: response.statusCode, body: response.json<BatchObject & { error?: { message: string } }>() };
}

/** The batch that a retry has made, and the custom_ids of its rows. */
async function retried(batchId: string, body?: object) {
  const answer = await retry(batchId, body);
  expect(answer).toMatchObject({ status: 200, body: { object: 'batch', status: 'validating' } });
  const text = await api.readFile(answer.body.input_file_id);
  const ids = text
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { custom_id: string }).custom_id);
  return { ...answer.body, ids, text };
}
const ids = (lines: readonly number[]): string[] => lines.map((line) => `id-${line}`);
const but = (count: number, without: readonly number[]): number[] =>
  Array.from({ length: count }, (_, index) => index + 1).filter((line) => !without.includes(line));

describe('POST /v1/batches/{id}/retry', () => {
  it('makes a batch of the failed lines alone, with the same rows', async () => {
    const failed = [2, 250, 251, 499];
    const { batchId } = await ended({ lines: 500, failed, answered: but(500, failed) });
    const made = await retried(batchId);
    expect(made.ids).toEqual(ids(failed));
    expect(made.text).toBe(failed.map((line) => `${row(`id-${line}`)}\n`).join(''));
    expect(made).toMatchObject({ endpoint: '/v1/chat/completions', completion_window: '24h', metadata: null });
    expect(await api.client.files.retrieve(made.input_file_id)).toMatchObject({
      purpose: 'batch',
      bytes: made.text.length,
    });
    expect(await api.read(made.id)).toMatchObject({ retryOf: batchId, onlyLanes: null, ownerId: api.ownerId });
    expect(api.started.at(-1)?._id).toBe(made.id);
    expect(await api.validateBatch({ batchId: made.id })).toMatchObject({ valid: true });
  });

  it('takes what expired and what was cancelled, and can be told which', async () => {
    const expired = await ended({ lines: 6, failed: [2], answered: [1, 5], reason: 'expired' });
    expect((await retried(expired.batchId, { only: ['expired'] })).ids).toEqual(ids([3, 4, 6]));
    expect((await retried(expired.batchId, { only: ['failed'] })).ids).toEqual(ids([2]));
    const cancelled = await ended({ lines: 4, failed: [2], answered: [1], reason: 'cancelled' });
    expect((await retried(cancelled.batchId)).ids).toEqual(ids([2, 3, 4]));
  });

  it('makes one batch of ten requests at once, and of one that comes again while it runs', async () => {
    const { batchId } = await ended({ lines: 3, failed: [2], answered: [1, 3] });
    const filesBefore = (await api.client.files.list()).data.length;
    const made = await Promise.all(Array.from({ length: 10 }, () => retry(batchId)));
    expect(made.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
    expect(new Set(made.map(({ body }) => body.id)).size).toBe(1);
    expect((await retry(batchId)).body.id).toBe(made[0]?.body.id);
    expect((await api.client.files.list()).data.length).toBe(filesBefore + 1);
    const all = await api.client.batches.list({ limit: 100 });
    const retries = await Promise.all(all.data.map(({ id }) => api.read(id)));
    expect(retries.filter(({ retryOf }) => retryOf === batchId)).toHaveLength(1);
  });

  it('sends no line a second time that another retry has, whatever became of it there', async () => {
    const { batchId } = await ended({ lines: 3, failed: [2, 3], answered: [1] });
    const first = await retried(batchId);
    expect(await retry(batchId, { lanes: ['meter'] })).toMatchObject({
      status: 409,
      body: { error: { message: expect.stringContaining(`being retried as batch ${first.id}`) as string } },
    });
    await api.validateBatch({ batchId: first.id });
    await api.results.insertMany([
      result(first.id, 1, { customId: 'id-2' }),
      result(first.id, 2, { ...FAILED, customId: 'id-3' }),
    ]);
    await api.finalizeBatch({ batchId: first.id, reason: 'completed' });
    expect(await retry(batchId)).toMatchObject({
      status: 409,
      body: { error: { message: expect.stringContaining(`were retried as batch ${first.id}`) as string } },
    });
    const second = await retried(first.id);
    expect(second.ids).toEqual(['id-3']);
    expect(await api.read(second.id)).toMatchObject({ retryOf: first.id });
  });

  it('may be asked for again when the retry failed in its validation', async () => {
    const { batchId } = await ended({ lines: 2, failed: [2], answered: [1] });
    const first = await retried(batchId);
    await api.batches.transition(first.id, 'failed', api.clock.now());
    const second = await retried(batchId);
    expect(second.id).not.toBe(first.id);
    expect(second.ids).toEqual(['id-2']);
  });

  it('uses the lanes that are named, and runs else as the batch did in the end', async () => {
    const control = { paused: true, priority: 'high', metered: 'never', spill: 'now' } as const;
    const given = {
      control,
      spend: { maxMicros: 5, roomMicros: 1, paidMicros: 4, holds: {} },
      metadata: [{ key: 'team', value: 'a' }],
    };
    const { batchId } = await ended({ lines: 1, failed: [1], given });
    const made = await retried(batchId, { lanes: ['meter'], completion_window: '48h' });
    expect(made).toMatchObject({ completion_window: '48h', metadata: { team: 'a' } });
    expect(made.expires_at - made.created_at).toBe(2 * (DAY_MS / 1000));
    expect(await api.read(made.id)).toMatchObject({
      onlyLanes: ['aaaaaaaaaaaa'],
      control: { ...control, paused: false },
      spend: { maxMicros: 5, roomMicros: 5, paidMicros: 0, holds: {} },
    });
  });

  it('takes new metadata and its wishes, and keeps the word on metered spend', async () => {
    const { batchId } = await ended({
      lines: 1,
      failed: [1],
      given: { control: { paused: false, priority: 'high', metered: 'never', spill: 'now' } },
    });
    const made = await retried(batchId, { metadata: { max_metered_usd: '2.50', flatlane_priority: 'low' } });
    expect(await api.read(made.id)).toMatchObject({
      control: { priority: 'low', metered: 'never', spill: 'late' },
      spend: { maxMicros: 2_500_000 },
    });
  });

  it('keeps the limit on metered spend when new metadata names no other', async () => {
    const spend = { maxMicros: 5, roomMicros: 1, paidMicros: 4, holds: {} };
    const { batchId } = await ended({ lines: 1, failed: [1], given: { spend } });
    const made = await retried(batchId, { metadata: { team: 'b' } });
    expect(made).toMatchObject({ metadata: { team: 'b' } });
    expect(await api.read(made.id)).toMatchObject({ spend: { maxMicros: 5, roomMicros: 5 } });
  });

  it.each([
    [{ lanes: ['nowhere'] }, 400, "there is no lane 'nowhere'"],
    [{ lanes: ['home'] }, 403, "may not use the plan lane 'home'"],
    [{ lanes: [] }, 400, 'lanes'],
    [{ only: ['answered'] }, 400, 'only'],
    [{ only: ['expired'] }, 409, 'nothing to retry'],
    [{ completion_window: 'soon' }, 400, 'completion_window'],
    [{ metadata: { a: 1 } }, 400, 'metadata.a'],
  ])('refuses %o', async (body, status, message) => {
    const { batchId } = await ended({ lines: 1, failed: [1] });
    const answer = await retry(batchId, body);
    expect(answer.status).toBe(status);
    expect(answer.body.error?.message).toContain(message);
  });

  it.each([
    ['in_progress', 'wait until it is over'],
    ['validating', 'wait until it is over'],
    ['cancelling', 'wait until it is over'],
    ['failed', 'Correct the file'],
  ] as const)('refuses a batch that is %s', async (status, message) => {
    const { _id } = await api.putBatch('file-1', { ownerId: api.ownerId, status });
    const answer = await retry(_id);
    expect(answer.status).toBe(409);
    expect(answer.body.error?.message).toContain(message);
  });

  it.each(['cancelled', 'expired'] as const)('says that nothing was read of one that was %s before', async (status) => {
    const file = await api.putFile(rows(2), { ownerId: api.ownerId });
    const { _id } = await api.putBatch(file._id, { ownerId: api.ownerId, status });
    const answer = await retry(_id);
    expect(answer.status).toBe(409);
    expect(answer.body.error?.message).toContain('before its file was read');
  });

  it('refuses a batch whose lines were all answered', async () => {
    const { batchId } = await ended({ lines: 2, answered: [1, 2] });
    expect(await retry(batchId)).toMatchObject({ status: 409 });
  });

  it('says so when the input is gone, and stores nothing', async () => {
    const { batchId, fileId } = await ended({ lines: 2, failed: [1], answered: [2] });
    await api.client.files.delete(fileId);
    const answer = await retry(batchId);
    expect(answer.status).toBe(409);
    expect(answer.body.error?.message).toContain('was deleted or has expired');
  });

  it('sends nothing of which it is not known what became of it', async () => {
    const { batchId } = await ended({ lines: 3, failed: [1], answered: [2, 3] });
    await database.db.collection<{ _id: string }>('batch_results').deleteOne({ _id: `${batchId}:000003` });
    const bodies = (): Promise<number> => database.db.collection('bodies.files').countDocuments();
    const before = await bodies();
    const answer = await retry(batchId);
    expect(answer.status).toBe(409);
    expect(answer.body.error?.message).toContain('line 3');
    expect(await bodies()).toBe(before);
  });

  it('keeps the batch when it could not be started, and starts it at the next request', async () => {
    const { batchId } = await ended({ lines: 1, failed: [1] });
    api.faults.start = new Error('no workflow service');
    expect((await retry(batchId)).status).toBe(503);
    delete api.faults.start;
    const made = await retried(batchId);
    expect(api.started.at(-1)?._id).toBe(made.id);
  });

  it('is nobody else’s', async () => {
    const { _id } = await api.putBatch('file-1', { ownerId: 'key_of_somebody', status: 'expired' });
    expect((await retry(_id)).status).toBe(404);
  });
});
