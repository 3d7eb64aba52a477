import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findResultPage, readResults } from '../../../api/batches/read-results.ts';
import { NO_USAGE } from '../../../core/token-usage.ts';
import { tallyByLane } from '../../../store/lane-tallies.ts';
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

const FAILED = { kind: 'failed', statusCode: 400, body: '{"error":{"code":"x"}}', usage: null } as const;

/** A batch that runs, of whose lines some have an outcome: the failed ones among them are those that divide by 7. */
async function running(count: number, done: readonly number[]): Promise<string> {
  const file = await api.putFile(rows(count), { ownerId: api.ownerId });
  const { _id } = await api.putBatch(file._id, { ownerId: api.ownerId });
  await api.validateBatch({ batchId: _id });
  await finish(_id, done);
  return _id;
}

async function finish(batchId: string, done: readonly number[]): Promise<void> {
  const outcomes = done.map((line) => result(batchId, line, line % 7 === 0 ? FAILED : {}));
  await api.results.insertMany(outcomes.toReversed());
  const completed = outcomes.filter(({ kind }) => kind === 'completed').length;
  await api.batches.addCounts(batchId, {
    completed,
    failed: done.length - completed,
    duplicates: 0,
    usage: NO_USAGE,
    byLane: tallyByLane(outcomes),
  });
}

const ask = (path: string) =>
  api.app.inject({ url: `/v1/batches/${path}`, headers: { authorization: `Bearer ${api.secret}` } });

async function page(path: string) {
  const response = await ask(path);
  expect(response.statusCode).toBe(200);
  const lines = response.body.split('\n').filter((line) => line !== '');
  return {
    ids: lines.map((line) => (JSON.parse(line) as { custom_id: string }).custom_id),
    lastLine: response.headers['x-flatlane-last-line'],
    completeTo: response.headers['x-flatlane-complete-to-line'],
    response,
  };
}

const ids = (lines: readonly number[]): string[] => lines.map((line) => `id-${line}`);
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe('GET /v1/batches/{id}/results', () => {
  it('gives what has come out of a running batch, in the order of the input', async () => {
    const done = [...range(1, 300), ...range(520, 560), 700];
    const batchId = await running(700, done);
    const { ids: seen, response } = await page(`${batchId}/results`);
    expect(seen).toEqual(ids(done));
    expect(response.headers['content-type']).toBe('application/jsonl; charset=utf-8');
  });

  it('gives the very lines of the output and the error file when the batch is over', async () => {
    const batchId = await running(16, range(1, 15));
    await api.finalizeBatch({ batchId, reason: 'cancelled' });
    const batch = await api.client.batches.retrieve(batchId);
    const content = async (id: string | null | undefined) => (await api.client.files.content(id ?? '')).text();
    expect((await ask(`${batchId}/results?kind=completed`)).body).toBe(await content(batch.output_file_id));
    expect((await ask(`${batchId}/results?kind=failed`)).body).toBe(await content(batch.error_file_id));
    expect((await page(`${batchId}/results`)).ids).toEqual(ids(range(1, 16)));
  });

  it('does not look for lines that nobody has counted yet, and finds those that are counted behind a gap', async () => {
    const batchId = await running(1_500, [1, 2, 1_400]);
    const asked: number[] = [];
    const { outcomes } = api.results;
    const spied: typeof outcomes = (id, first, count) => {
      asked.push(first);
      return outcomes(id, first, count);
    };
    const range = { batchId, afterLine: 0, total: 1_500, kind: null };
    const results = { ...api.results, outcomes: spied };
    const found = async (counted: number): Promise<number[]> =>
      (await findResultPage(results, { ...range, counted }, 10)).outcomes.map(({ line }) => line);
    expect(await found(3)).toEqual([1, 2, 1_400]);
    expect(asked.splice(0)).toEqual([1, 251, 501, 751, 1_001, 1_251]);
    expect(await found(2)).toEqual([1, 2]);
    expect(asked).toEqual([1, 251]);
  });

  it('sends answers one by one: many large ones are longer than a string can be', async () => {
    const batchId = await running(3, [1, 2, 3]);
    const range = { batchId, afterLine: 0, total: 3, kind: null, counted: null };
    const sent: string[] = [];
    for await (const piece of readResults(api.results, range)) sent.push(piece);
    expect(sent.map((piece) => piece.indexOf('\n') + 1)).toEqual(sent.map(({ length }) => length));
    expect(sent).toHaveLength(3);
  });

  it('pages, and says from where nothing is missed', async () => {
    const batchId = await running(20, [1, 2, 4, 7, 9]);
    const first = await page(`${batchId}/results?limit=3`);
    expect(first).toMatchObject({ ids: ids([1, 2, 4]), lastLine: '4', completeTo: '2' });
    const second = await page(`${batchId}/results?limit=3&after_line=${String(first.lastLine)}`);
    expect(second).toMatchObject({ ids: ids([7, 9]), lastLine: '9', completeTo: '4' });
    await finish(batchId, [3, 5]);
    const later = await page(`${batchId}/results?limit=3&after_line=${String(first.completeTo)}`);
    expect(later).toMatchObject({ ids: ids([3, 4, 5]), lastLine: '5', completeTo: '5' });
    const failed = await page(`${batchId}/results?limit=3&kind=failed`);
    expect(failed).toMatchObject({ ids: ids([7]), lastLine: '7', completeTo: '5' });
    const none = await page(`${batchId}/results?limit=3&after_line=10`);
    expect(none).toMatchObject({ ids: [], lastLine: '10', completeTo: '10' });
  });

  it('has nothing of a batch that is not validated yet', async () => {
    const { _id } = await api.putBatch('file-1', { ownerId: api.ownerId });
    expect(await page(`${_id}/results?limit=5`)).toMatchObject({ ids: [], lastLine: '0', completeTo: '0' });
    expect((await page(`${_id}/results`)).ids).toEqual([]);
  });

  it.each([
    ['kind=other', 'kind'],
    ['after_line=-1', 'after_line'],
    ['limit=0', 'limit'],
    ['limit=10001', 'limit'],
    ['limit=ten', 'limit'],
  ])('refuses %s', async (query, param) => {
    const { _id } = await api.putBatch('file-1', { ownerId: api.ownerId });
    const response = await ask(`${_id}/results?${query}`);
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ error: { param } });
  });

  it('is nobody else’s', async () => {
    const { _id } = await api.putBatch('file-1', { ownerId: 'key_of_somebody' });
    expect((await ask(`${_id}/results`)).statusCode).toBe(404);
  });
});
