import { createHash } from 'node:crypto';
import { toFile, type APIError, type OpenAI } from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { row, rows } from '../../support/batch-world.ts';
import { startFileApi, type FileApi } from '../../support/file-api.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';

let database: TestDatabase;
let api: FileApi;
let fileId: string;
let key: string;
let keys = 0;
beforeAll(async () => {
  database = await openTestDatabase();
  api = await startFileApi(database);
  fileId = (await upload(rows(2))).id;
});
afterAll(async () => {
  await api.app.close();
  await database.release();
});
beforeEach(() => {
  key = `key ${(keys += 1)}`;
  delete api.faults.start;
});

const keyed = (idempotencyKey = key) => ({ headers: { 'Idempotency-Key': idempotencyKey } });
async function upload(content: string, options: OpenAI.RequestOptions = {}, name = 'input.jsonl') {
  return api.client.files.create({ file: await toFile(Buffer.from(content), name), purpose: 'batch' }, options);
}
const create = (options: OpenAI.RequestOptions = keyed(), inputFileId = fileId, client = api.client) =>
  client.batches.create(
    { input_file_id: inputFileId, endpoint: '/v1/chat/completions', completion_window: '24h' },
    options,
  );
const countBatches = (): Promise<number> => database.db.collection('batches').countDocuments();
const countBodies = (): Promise<number> => database.db.collection('bodies.files').countDocuments();

describe('POST /v1/batches with an Idempotency-Key', () => {
  it('makes one batch of fifty creates at once, and all get the same object', async () => {
    const before = await countBatches();
    const made = await Promise.all(Array.from({ length: 50 }, () => create()));
    expect(await countBatches()).toBe(before + 1);
    for (const batch of made) expect(batch).toEqual(made[0]);
    expect(api.started.filter(({ _id }) => _id === made[0]?.id)).toHaveLength(1);
  });

  it('repeats the first answer later, whatever became of the batch, and says that it does', async () => {
    const first = await create();
    await api.batches.transition(first.id, 'failed', api.clock.now());
    const { data, response } = await create().withResponse();
    expect(data).toEqual(first);
    expect(response.headers.get('x-flatlane-replayed')).toBe('true');
  });

  it('refuses the key for another body, for good', async () => {
    await create();
    const refused = await create(keyed(), 'file-other').catch((error: unknown) => error);
    expect(refused).toMatchObject({ status: 409, code: 'idempotency_key_reused', param: 'Idempotency-Key' });
    expect((refused as APIError).headers?.get('x-should-retry')).toBe('false');
  });

  it('is another key for another caller', async () => {
    const mine = await create();
    const theirs = await create(keyed(), fileId, api.otherClient);
    expect(theirs.id).not.toBe(mine.id);
  });

  it('goes on with a batch whose start failed', async () => {
    api.faults.start = new Error('Temporal is away');
    const failed = await create().catch((error: unknown) => error);
    expect(failed).toMatchObject({ status: 503 });
    expect((failed as APIError).headers?.get('x-should-retry')).toBeNull();
    const before = await countBatches();
    delete api.faults.start;
    const batch = await create();
    expect(await countBatches()).toBe(before);
    expect(api.started.map(({ _id }) => _id)).toContain(batch.id);
  });

  it('goes on with the batch of a process that died before it could answer', async () => {
    const first = await create();
    // As a kill between the insert and the answer leaves it.
    const died = { $set: { answer: null, leaseUntil: api.clock.now() - 1 } };
    expect((await claims().updateOne({ workId: first.id }, died)).modifiedCount).toBe(1);
    const before = await countBatches();
    const again = await Promise.all(Array.from({ length: 10 }, () => create()));
    for (const batch of again) expect(batch).toEqual(first);
    expect(await countBatches()).toBe(before);
  });

  it('keeps a refusal that would be the same again', async () => {
    const output = await upload(rows(1));
    await database.db.collection('files').updateOne(
      { filename: 'input.jsonl', bytes: output.bytes },
      {
        $set: { purpose: 'batch_output' },
      },
    );
    const first = await create(keyed(), output.id).catch((error: unknown) => error);
    expect(first).toMatchObject({ status: 400, param: 'input_file_id' });
    const again = await create(keyed(), output.id).catch((error: unknown) => error);
    expect(again).toMatchObject({ status: 400, message: (first as Error).message });
    expect((again as APIError).headers?.get('x-flatlane-replayed')).toBe('true');
  });

  it.each(['', 'x'.repeat(256), 'tab\there', 'ümlaut'])('refuses %j as a key', async (bad) => {
    const response = await fetch(`${api.url}/v1/batches`, {
      method: 'POST',
      headers: { authorization: `Bearer ${api.secret}`, 'content-type': 'application/json', 'idempotency-key': bad },
      body: JSON.stringify({
        input_file_id: fileId,
        endpoint: '/v1/chat/completions',
        completion_window: '24h',
      }),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: 'invalid_value', param: 'Idempotency-Key' } });
  });

  it('stores no word of the key', async () => {
    key = 'order 17 of Ms. Miller';
    await create();
    expect(JSON.stringify(await claims().find().toArray())).not.toContain('Miller');
  });
});

const claims = () => database.db.collection('idempotency');

describe('POST /v1/files with an Idempotency-Key', () => {
  it('gives the same file to a repeat, and stores its bytes once', async () => {
    const content = rows(3);
    const first = await upload(content, keyed());
    const before = await countBodies();
    expect(await upload(content, keyed())).toEqual(first);
    expect(await countBodies()).toBe(before);
    expect(await (await api.client.files.content(first.id)).text()).toBe(content);
  });

  it('makes one file of ten uploads at once', async () => {
    const content = rows(40);
    const before = await countBodies();
    const made = await Promise.all(Array.from({ length: 10 }, () => upload(content, keyed())));
    for (const file of made) expect(file).toEqual(made[0]);
    expect(await countBodies()).toBe(before + 1);
  });

  it.each([
    ['other bytes', row('other'), 'input.jsonl'],
    ['another name', rows(3), 'other.jsonl'],
  ])('refuses the key for %s', async (_, content, name) => {
    const first = await upload(rows(3), keyed());
    await expect(upload(content, keyed(), name)).rejects.toMatchObject({ status: 409, code: 'idempotency_key_reused' });
    expect(await upload(rows(3), keyed())).toEqual(first);
  });

  it('lets a refused upload be mended under its key', async () => {
    await expect(upload('{broken', keyed())).rejects.toMatchObject({ status: 400 });
    expect(await upload(rows(2), keyed())).toMatchObject({ object: 'file' });
  });

  it('stores anew, under the same id, what a process that died left half-written', async () => {
    const content = rows(5);
    const first = await upload(content, keyed());
    const died = { $set: { answer: null, leaseUntil: api.clock.now() - 1 } };
    await claims().updateOne({ workId: first.id }, died);
    await database.db.collection('files').deleteOne({ _id: first.id as never });
    await expect(upload(rows(6), keyed())).rejects.toMatchObject({ status: 409 });
    const again = await upload(content, keyed());
    expect(again.id).toBe(first.id);
    expect(await (await api.client.files.content(first.id)).text()).toBe(content);
    expect(await api.files.find(first.id)).toMatchObject({
      sha256: createHash('sha256').update(content).digest('hex'),
    });
  });

  it('answers for a file that was stored and not answered for', async () => {
    const first = await upload(rows(7), keyed());
    const died = { $set: { answer: null, leaseUntil: api.clock.now() - 1 } };
    await claims().updateOne({ workId: first.id }, died);
    const before = await countBodies();
    expect(await upload(rows(7), keyed())).toEqual(first);
    expect(await countBodies()).toBe(before);
  });

  it('tells a repeat to come again when the first upload was cut off', async () => {
    const first = await upload(rows(8), keyed());
    const claim = { workId: first.id };
    await claims().updateOne(claim, { $set: { answer: null, leaseUntil: api.clock.now() + 60_000 } });
    await database.db.collection('files').deleteOne({ _id: first.id as never });
    const waiting = upload(rows(8), keyed()).catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 150));
    await claims().updateOne(claim, { $set: { leaseUntil: 0 } });
    expect(await waiting).toMatchObject({ status: 503 });
    expect((await upload(rows(8), keyed())).id).toBe(first.id);
  });
});
