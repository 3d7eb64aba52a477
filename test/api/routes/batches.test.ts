import { MongoNetworkError, MongoServerError, MongoWriteConcernError } from 'mongodb';
import { APIError, toFile } from 'openai';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { result, row, rows } from '../../support/batch-world.ts';
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

const upload = async (content: string) =>
  api.client.files.create({ file: await toFile(Buffer.from(content), 'input.jsonl'), purpose: 'batch' });
const create = (inputFileId: string, client = api.client) =>
  client.batches.create({ input_file_id: inputFileId, endpoint: '/v1/chat/completions', completion_window: '24h' });
const inject = (method: 'GET' | 'POST', url: string, payload?: object) =>
  api.app.inject({
    method,
    url,
    headers: { authorization: `Bearer ${api.secret}` },
    ...(payload === undefined ? {} : { payload }),
  });

async function failureOf(call: Promise<unknown>): Promise<APIError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof APIError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('POST /v1/batches', () => {
  it('stores the batch, starts it, and answers with the batch object', async () => {
    const file = await upload(row('a'));
    const batch = await api.client.batches.create({
      input_file_id: file.id,
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
      metadata: { team: 'ä' },
      output_expires_after: { anchor: 'created_at', seconds: 3600 },
    });
    const createdAt = Math.floor(api.clock.now() / 1000);
    expect(batch).toMatchObject({
      id: expect.stringMatching(/^batch_[0-9a-f]{32}$/) as string,
      object: 'batch',
      status: 'validating',
      input_file_id: file.id,
      created_at: createdAt,
      expires_at: createdAt + 86_400,
      metadata: { team: 'ä' },
      request_counts: { total: 0, completed: 0, failed: 0 },
      errors: null,
    });
    expect(api.started.at(-1)).toMatchObject({ _id: batch.id, ownerId: api.ownerId, outputExpiresAfterSeconds: 3600 });
    expect(await api.client.batches.retrieve(batch.id)).toEqual(batch);
  });

  it('keeps a batch that could not be started, and asks not to send it again', async () => {
    const file = await upload(row('a'));
    const before = (await api.client.batches.list()).data.length;
    api.faults.start = new Error('no workflow service');
    const failure = await failureOf(create(file.id));
    delete api.faults.start;
    expect(failure).toMatchObject({ status: 503, code: 'server_is_overloaded' });
    expect(failure.headers?.get('x-should-retry')).toBe('false');
    const { data } = await api.client.batches.list();
    expect(data).toHaveLength(before + 1);
    expect(data.every(({ status }) => status === 'validating')).toBe(true);
  });

  it('makes one batch where the acknowledgement that it is stored is lost', async () => {
    const ids = async () => (await api.client.batches.list()).data.map(({ id }) => id);
    const before = await ids();
    const insert = api.batches.insert.bind(api.batches);
    vi.spyOn(api.batches, 'insert').mockImplementationOnce(async (batch) => {
      await insert(batch);
      throw new MongoNetworkError('gone');
    });
    const { id } = await create('file-1', api.client.withOptions({ maxRetries: 2 }));
    expect((await ids()).toSorted()).toEqual([id, ...before].toSorted());
    expect(api.started.at(-1)?._id).toBe(id);
  });

  it('asks not to send a batch again of which nobody knows whether it is stored, and says where to look', async () => {
    const insert = vi.spyOn(api.batches, 'insert');
    const asked: string[] = [];
    insert.mockImplementation(async ({ _id }) => {
      asked.push(_id);
      throw new MongoNetworkError('gone');
    });
    const failure = await failureOf(create('file-1', api.client.withOptions({ maxRetries: 2 })));
    insert.mockRestore();
    expect(failure).toMatchObject({ status: 503, code: 'server_is_overloaded' });
    expect(failure.headers?.get('x-should-retry')).toBe('false');
    expect(failure.headers?.get('retry-after')).toBeNull();
    expect(new Set(asked).size).toBe(1);
    expect(failure.message).toContain(`GET /v1/batches/${asked[0]}`);
  });

  it.each([
    ['its answer is lost', new MongoNetworkError('gone')],
    ['no majority has it in time', new MongoWriteConcernError({ ok: 1, writeConcernError: { code: 64, errmsg: '' } })],
  ])('asks so too where %s and then the disk is full, for the first try may have come through', async (_why, first) => {
    const full = new MongoServerError({ message: 'no room', code: 14_031 });
    vi.spyOn(api.batches, 'insert').mockRejectedValueOnce(first).mockRejectedValueOnce(full);
    const failure = await failureOf(create('file-1'));
    expect([failure.status, failure.headers?.get('x-should-retry')]).toEqual([503, 'false']);
    expect(failure.message).toContain('did not say whether');
  });

  it.each([
    [500, new MongoServerError({ message: 'not authorized', code: 13 })],
    [500, new TypeError('a bug')],
    [507, new MongoServerError({ message: 'no room', code: 14_031 })],
  ])('answers with %i, after one try, where the database has refused the batch', async (status, refusal) => {
    const insert = vi.spyOn(api.batches, 'insert').mockRejectedValueOnce(refusal);
    const failure = await failureOf(create('file-1'));
    expect([failure.status, insert.mock.calls.length]).toEqual([status, 1]);
  });

  it('lets a batch with an idempotency key be sent again that could not be stored', async () => {
    const headers = { 'Idempotency-Key': 'not stored at first' };
    const insert = vi.spyOn(api.batches, 'insert').mockRejectedValue(new MongoNetworkError('gone'));
    const create = () =>
      api.client.batches.create(
        { input_file_id: 'file-1', endpoint: '/v1/chat/completions', completion_window: '24h' },
        { headers },
      );
    const failure = await failureOf(create());
    insert.mockRestore();
    expect(failure).toMatchObject({ status: 503 });
    expect(failure.headers?.get('x-should-retry')).toBeNull();
    expect(await create()).toMatchObject({ status: 'validating' });
  });

  it('takes an unknown file, and lets the batch fail of it', async () => {
    const batch = await create('file-none');
    expect(batch.status).toBe('validating');
    await api.validateBatch({ batchId: batch.id });
    expect(await api.client.batches.retrieve(batch.id)).toMatchObject({
      status: 'failed',
      errors: { object: 'list', data: [{ code: 'invalid_request', param: 'file_id', line: null }] },
    });
  });

  it('refuses a file with another purpose', async () => {
    const output = await api.putFile('{}', { ownerId: api.ownerId, purpose: 'batch_output' });
    expect(await failureOf(create(output._id))).toMatchObject({
      status: 400,
      code: 'invalid_value',
      param: 'input_file_id',
    });
  });

  it.each([
    [{ endpoint: '/v1/completions' }, 'invalid_value', 'endpoint'],
    [{ completion_window: '1d' }, 'invalid_value', 'completion_window'],
    [{ metadata: { tags: [] } }, 'invalid_type', 'metadata.tags'],
    [{ input_file_id: null }, 'missing_required_parameter', 'input_file_id'],
  ])('refuses %o', async (change, code, param) => {
    const good = { input_file_id: 'file-1', endpoint: '/v1/chat/completions', completion_window: '24h' };
    const response = await inject('POST', '/v1/batches', { ...good, ...change });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ error: { type: 'invalid_request_error', code, param } });
  });
});

describe('the reads of batches', () => {
  it('page from the newest to the oldest', async () => {
    const made: string[] = [];
    for (let index = 0; index < 5; index++) {
      api.clock.advance(1);
      made.unshift((await create('file-1')).id);
    }
    const seen: string[] = [];
    for await (const { id } of api.client.batches.list({ limit: 2 })) seen.push(id);
    expect(seen.slice(0, 5)).toEqual(made);
    expect(new Set(seen).size).toBe(seen.length);
    const page = (await inject('GET', `/v1/batches?limit=2&after=${made[0]}`)).json<unknown>();
    expect(page).toMatchObject({ object: 'list', first_id: made[1], last_id: made[2], has_more: true });
  });

  it.each(['limit=0', 'limit=101', 'after=batch_none'])('refuse ?%s', async (query) => {
    expect((await inject('GET', `/v1/batches?${query}`)).statusCode).toBe(400);
  });

  it('show another key nothing', async () => {
    const batch = await create('file-1');
    expect(await failureOf(api.otherClient.batches.retrieve(batch.id))).toMatchObject({ status: 404, code: null });
    expect(await failureOf(api.otherClient.batches.cancel(batch.id))).toMatchObject({ status: 404 });
    expect((await api.otherClient.batches.list()).data).toEqual([]);
    expect(await api.read(batch.id)).toMatchObject({ status: 'validating' });
  });

  it('show a batch of another key fail of a file that is not its own', async () => {
    const file = await upload(row('a'));
    const batch = await create(file.id, api.otherClient);
    await api.validateBatch({ batchId: batch.id });
    expect(await api.otherClient.batches.retrieve(batch.id)).toMatchObject({ status: 'failed' });
  });

  it('lead the official client from upload to output', async () => {
    const file = await upload(rows(2));
    const { id } = await create(file.id);
    await api.validateBatch({ batchId: id });
    await api.results.insertMany([1, 2].map((line) => result(id, line)));
    await api.finalizeBatch({ batchId: id, reason: 'completed' });
    const batch = await api.client.batches.retrieve(id);
    expect(batch).toMatchObject({
      status: 'completed',
      request_counts: { total: 2, completed: 2, failed: 0 },
      model: 'm',
    });
    const output = await api.client.files.retrieve(batch.output_file_id ?? '');
    expect(output).toMatchObject({ purpose: 'batch_output', filename: `${id}_output.jsonl` });
    const text = await (await api.client.files.content(output.id)).text();
    expect(text.trimEnd().split('\n')).toHaveLength(2);
  });
});

describe('POST /v1/batches/{id}/cancel', () => {
  it('cancels once and says the same again while it is cancelling', async () => {
    const { id } = await create('file-1');
    const first = await api.client.batches.cancel(id);
    expect(first).toMatchObject({ id, status: 'cancelling', cancelling_at: Math.floor(api.clock.now() / 1000) });
    api.clock.advance(5000);
    expect(await api.client.batches.cancel(id)).toEqual(first);
    expect(api.cancelled).toEqual([id, id]);
    await api.finalizeBatch({ batchId: id, reason: 'cancelled' });
    expect(await api.client.batches.retrieve(id)).toMatchObject({ status: 'cancelled' });
  });

  it('cancels also what can not be told to the workflow, which is left to the sweep', async () => {
    const { _id } = await api.putBatch('file-1', { ownerId: api.ownerId, status: 'in_progress' });
    api.faults.tell = new Error('away');
    const cancelled = await api.client.batches.cancel(_id).finally(() => delete api.faults.tell);
    expect(cancelled).toMatchObject({ id: _id, status: 'cancelling' });
    expect(await api.read(_id)).toMatchObject({ status: 'cancelling' });
  });

  it.each(['failed', 'finalizing', 'completed', 'expired', 'cancelled'] as const)(
    'refuses a batch that is %s',
    async (status) => {
      const { _id } = await api.putBatch('file-1', { ownerId: api.ownerId, status });
      expect(await failureOf(api.client.batches.cancel(_id))).toMatchObject({
        status: 409,
        type: 'invalid_request_error',
        code: null,
        error: { message: `Cannot cancel a batch with status '${status}'.` },
      });
      expect(api.cancelled).not.toContain(_id);
    },
  );

  it('does not know a batch that is not there', async () => {
    expect(await failureOf(api.client.batches.cancel('batch_none'))).toMatchObject({ status: 404, code: null });
  });
});
