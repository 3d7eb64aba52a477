import { MongoNetworkError } from 'mongodb';
import { APIError, toFile } from 'openai';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { row, rows } from '../../support/batch-world.ts';
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

const jsonl = (content: string | Buffer, name = 'input.jsonl') => toFile(Buffer.from(content as string), name);
const upload = async (content: string) => api.client.files.create({ file: await jsonl(content), purpose: 'batch' });

async function failureOf(call: Promise<unknown>): Promise<APIError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof APIError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('the reads of files', () => {
  it('give the official client the list, the file and its bytes', async () => {
    const content = rows(2000);
    const file = await upload(content);
    expect(await api.client.files.retrieve(file.id)).toEqual(file);
    const response = await api.client.files.content(file.id);
    expect(response.headers.get('content-length')).toBe(String(file.bytes));
    expect(await response.text()).toBe(content);
    const page = await api.client.files.list();
    expect(page.data.map(({ id }) => id)).toContain(file.id);
  });

  it('page in both directions', async () => {
    for (let index = 0; index < 5; index++) await upload(row('a'));
    const page = async (order: 'asc' | 'desc'): Promise<string[]> => {
      const ids: string[] = [];
      for await (const { id } of api.client.files.list({ limit: 2, order })) ids.push(id);
      return ids;
    };
    const ascending = await page('asc');
    expect(ascending.length).toBeGreaterThan(4);
    expect(new Set(ascending).size).toBe(ascending.length);
    expect(await page('desc')).toEqual(ascending.toReversed());
  });

  it('have first and last id, and whether there is more', async () => {
    for (let index = 0; index < 3; index++) await upload(row('a'));
    const headers = { authorization: `Bearer ${api.secret}` };
    const list = async (query: string) =>
      (await api.app.inject({ url: `/v1/files?${query}`, headers })).json<unknown>();
    const all = await api.client.files.list();
    const [first, second] = all.data;
    expect(await list('limit=2')).toMatchObject({
      object: 'list',
      first_id: first?.id,
      last_id: second?.id,
      has_more: true,
    });
    expect(await list('purpose=batch_output')).toEqual({
      object: 'list',
      data: [],
      first_id: null,
      last_id: null,
      has_more: false,
    });
  });

  it.each([
    ['limit=0', 'invalid_value', 'limit'],
    ['limit=10001', 'invalid_value', 'limit'],
    ['limit=ten', 'invalid_type', 'limit'],
    ['order=up', 'invalid_value', 'order'],
    ['after=file-none', 'invalid_value', 'after'],
    ['after=a&after=b', 'invalid_type', 'after'],
  ])('refuse ?%s', async (query, code, param) => {
    const response = await api.app.inject({
      url: `/v1/files?${query}`,
      headers: { authorization: `Bearer ${api.secret}` },
    });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ error: { code, param } });
  });

  it('show another key nothing', async () => {
    const file = await upload(row('a'));
    for (const call of [
      () => api.otherClient.files.retrieve(file.id),
      () => api.otherClient.files.content(file.id),
      () => api.otherClient.files.delete(file.id),
    ]) {
      expect(await failureOf(call())).toMatchObject({ status: 404, type: 'invalid_request_error', code: null });
    }
    expect((await api.otherClient.files.list()).data).toEqual([]);
    expect(await failureOf(api.otherClient.files.list({ after: file.id }))).toMatchObject({ status: 400 });
    expect(await api.client.files.retrieve(file.id)).toEqual(file);
  });

  it('do not show a file past its end', async () => {
    const file = await api.client.files.create({
      purpose: 'batch',
      expires_after: { anchor: 'created_at', seconds: 3600 },
      file: await jsonl(row('a')),
    });
    api.clock.advance(3_600_000);
    expect(await failureOf(api.client.files.retrieve(file.id))).toMatchObject({ status: 404 });
    expect(await failureOf(api.client.files.content(file.id))).toMatchObject({ status: 404 });
    expect((await api.client.files.list()).data.map(({ id }) => id)).not.toContain(file.id);
  });
});

describe('DELETE /v1/files/{id}', () => {
  it('removes file and bytes', async () => {
    const file = await upload(row('a'));
    expect(await api.client.files.delete(file.id)).toEqual({ id: file.id, object: 'file', deleted: true });
    expect(await failureOf(api.client.files.retrieve(file.id))).toMatchObject({ status: 404 });
    expect(await failureOf(api.client.files.delete(file.id))).toMatchObject({ status: 404 });
    expect(await api.files.find(file.id)).toMatchObject({ bytesRemoved: true });
  });

  it('leaves the bytes to a batch that works on them', async () => {
    const file = await upload(row('a'));
    await api.putBatch(file.id, { ownerId: api.ownerId, status: 'in_progress' });
    await api.client.files.delete(file.id);
    expect(await failureOf(api.client.files.content(file.id))).toMatchObject({ status: 404 });
    expect(await api.readFile(file.id)).toBe(row('a'));
  });

  it('goes well also where the bytes can not be removed now, which is left to the housekeeping', async () => {
    const file = await upload(row('a'));
    vi.spyOn(api.files, 'removeBytes').mockRejectedValueOnce(new MongoNetworkError('gone'));
    expect(await api.client.files.delete(file.id)).toMatchObject({ deleted: true });
    expect(await failureOf(api.client.files.retrieve(file.id))).toMatchObject({ status: 404 });
    const removable = await api.files.listRemovable(api.clock.now(), 100);
    expect(removable.map(({ _id }) => _id)).toContain(file.id);
  });
});
