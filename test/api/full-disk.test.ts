import { MongoServerError } from 'mongodb';
import { toFile } from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { rows } from '../support/batch-world.ts';
import { startFileApi, type FileApi } from '../support/file-api.ts';
import { openTestDatabase, type TestDatabase } from '../support/mongodb.ts';

let database: TestDatabase;
let api: FileApi;
/** After so many writes the store has no room. */
let room = Number.POSITIVE_INFINITY;

beforeAll(async () => {
  database = await openTestDatabase();
  const write = async <Result>(done: () => Promise<Result>): Promise<Result> => {
    if (room-- <= 0) throw new MongoServerError({ message: 'No space left on device', code: 14_031 });
    return done();
  };
  /** The database, whose inserts and updates fail when there is no room. */
  const db = new Proxy(database.db, {
    get: (target, name) =>
      name === 'collection'
        ? (collection: string) =>
            new Proxy(target.collection(collection), {
              get(of, method) {
                const value: unknown = Reflect.get(of, method, of);
                if (typeof value !== 'function') return value;
                const call = value.bind(of) as (...given: unknown[]) => unknown;
                const writes = ['insertOne', 'insertMany', 'updateOne', 'findOneAndUpdate'].includes(String(method));
                return writes ? (...given: unknown[]) => write(async () => call(...given)) : call;
              },
            })
        : (Reflect.get(target, name, target) as unknown),
  });
  api = await startFileApi({ ...database, db });
});
afterAll(async () => {
  await api.app.close();
  await database.release();
});
beforeEach(() => {
  room = Number.POSITIVE_INFINITY;
});

const left = async (): Promise<number> => {
  const counts = ['bodies.files', 'bodies.chunks', 'files', 'upload_parts', 'unclaimed_bodies'].map((name) =>
    database.db.collection(name).countDocuments(),
  );
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
};
const content = rows(5000);
const jsonl = () => toFile(Buffer.from(content), 'a.jsonl');

/** Tries with room for 0, 1, 2, … writes until it goes well, and gives how often it was refused. */
async function refusals(call: () => Promise<unknown>): Promise<number> {
  for (let writes = 0; ; writes++) {
    const before = await left();
    room = writes;
    try {
      await call();
      return writes;
    } catch (error) {
      expect(error).toMatchObject({ status: 507, code: 'insufficient_storage', type: 'server_error' });
      expect((error as { headers: Headers }).headers.get('x-should-retry')).toBe('false');
      expect((error as Error).message).toContain('disk of the database is full');
    } finally {
      room = Number.POSITIVE_INFINITY;
    }
    expect([writes, await left()]).toEqual([writes, before]);
  }
}

describe('a full disk', () => {
  it('refuses an upload with a clear answer at whichever write it comes, and leaves nothing behind', async () => {
    expect(
      await refusals(async () => api.client.files.create({ file: await jsonl(), purpose: 'batch' })),
    ).toBeGreaterThan(3);
  });

  it('refuses a part of an upload in the same way', async () => {
    const upload = await api.client.uploads.create({
      filename: 'a.jsonl',
      purpose: 'batch',
      bytes: Buffer.byteLength(content),
      mime_type: 'application/jsonl',
    });
    expect(
      await refusals(async () => api.client.uploads.parts.create(upload.id, { data: await jsonl() })),
    ).toBeGreaterThan(3);
  });

  it('keeps the parts of an upload that could not be completed, which goes well when there is room', async () => {
    const upload = await api.client.uploads.create({
      filename: 'a.jsonl',
      purpose: 'batch',
      bytes: Buffer.byteLength(content),
      mime_type: 'application/jsonl',
    });
    const part = await api.client.uploads.parts.create(upload.id, { data: await jsonl() });
    for (const writes of [0, 1, 1, 2]) {
      room = writes;
      await expect(api.client.uploads.complete(upload.id, { part_ids: [part.id] })).rejects.toMatchObject({
        status: 507,
      });
      room = Number.POSITIVE_INFINITY;
    }
    const { file } = await api.client.uploads.complete(upload.id, { part_ids: [part.id] });
    expect(await (await api.client.files.content(file?.id ?? '')).text()).toBe(content);
  });
});
