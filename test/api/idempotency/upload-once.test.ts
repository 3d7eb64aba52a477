import { EventEmitter, once } from 'node:events';
import { Collection, MongoNetworkError, MongoServerError } from 'mongodb';
import { toFile } from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { rows } from '../../support/batch-world.ts';
import { startFileApi, type FileApi } from '../../support/file-api.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';

let database: TestDatabase;
let api: FileApi;
let key: string;
let keys = 0;
beforeAll(async () => {
  database = await openTestDatabase();
  api = await startFileApi(database);
});
afterAll(async () => {
  await api.app.close();
  await database.release();
});
beforeEach(() => {
  key = `key ${(keys += 1)}`;
});

const content = rows(3);
const upload = async () =>
  api.client.files.create(
    { file: await toFile(Buffer.from(content), 'input.jsonl'), purpose: 'batch' },
    { headers: { 'Idempotency-Key': key } },
  );
const contentOf = async (id: string): Promise<string> => (await api.client.files.content(id)).text();
const claims = () => database.db.collection('idempotency');
const count = (name: string): Promise<number> => database.db.collection(name).countDocuments();

/** How often a repeat has looked for the answer from here on. */
function countLooks(): () => number {
  const find = vi.spyOn(api.idempotency, 'find');
  return () => find.mock.calls.length;
}

type Way = 'insertOne' | 'deleteOne';

/** Does something else at the next such call for a collection: `real` is the call itself. */
function atNext(way: Way, name: string, instead: (real: () => Promise<unknown>) => Promise<never>): void {
  const real = Collection.prototype[way] as (...given: unknown[]) => Promise<unknown>;
  let isDue = true;
  vi.spyOn(Collection.prototype, way).mockImplementation(async function (this: Collection, ...given: unknown[]) {
    const call = () => real.apply(this, given);
    if (this.collectionName !== name || !isDue) return (await call()) as never;
    isDue = false;
    return instead(call);
  });
}

/** At the next upload the file's document is stored, and its acknowledgement comes never: that is known after `lose`. */
function holdAcknowledgement(): { readonly stored: Promise<unknown>; readonly lose: () => void } {
  const steps = new EventEmitter();
  const lost = once(steps, 'lost');
  atNext('insertOne', 'files', async (real) => {
    await real();
    steps.emit('stored');
    await lost;
    throw new MongoNetworkError('the connection is gone');
  });
  return { stored: once(steps, 'stored'), lose: () => void steps.emit('lost') };
}

describe('an upload whose document may be stored', () => {
  it('gives the file to a repeat that waits when the acknowledgement is lost, and its bytes stay', async () => {
    const { stored, lose } = holdAcknowledgement();
    const first = upload().catch((error: unknown) => error);
    await stored;
    const looks = countLooks();
    const repeat = upload();
    await expect.poll(looks).toBeGreaterThan(1);
    lose();
    expect(await first).toMatchObject({ status: 503 });
    const { id } = await repeat;
    expect(await contentOf(id)).toBe(content);
    expect((await upload()).id).toBe(id);
    expect(await contentOf(id)).toBe(content);
  });

  it('is not taken back by a holder that was taken for dead when a repeat was told of it', async () => {
    const { stored, lose } = holdAcknowledgement();
    const first = upload().catch((error: unknown) => error);
    await stored;
    await claims().updateMany({ answer: null }, { $set: { leaseUntil: 0 } });
    const { id } = await upload();
    lose();
    expect(await first).toMatchObject({ status: 503 });
    expect(await contentOf(id)).toBe(content);
  });

  it('keeps its bytes also when nobody sees the document, which may still come', async () => {
    const before = await count('bodies.files');
    atNext('insertOne', 'files', () => Promise.reject(new MongoNetworkError('the connection is gone')));
    await expect(upload()).rejects.toMatchObject({ status: 503 });
    expect(await count('bodies.files')).toBe(before + 1);
    expect(await contentOf((await upload()).id)).toBe(content);
  });

  it('keeps none of its bytes when the database has refused the document', async () => {
    const before = await count('bodies.files');
    atNext('insertOne', 'files', () =>
      Promise.reject(new MongoServerError({ message: 'No space left', code: 14_031 })),
    );
    await expect(upload()).rejects.toMatchObject({ status: 507 });
    expect(await count('bodies.files')).toBe(before);
    expect(await contentOf((await upload()).id)).toBe(content);
  });

  it('goes well though its bytes can not be claimed, which housekeeping makes up for', async () => {
    atNext('deleteOne', 'unclaimed_bodies', () => Promise.reject(new MongoNetworkError('the connection is gone')));
    const { id } = await upload();
    const { bodyId = '' } = (await api.files.find(id)) ?? {};
    expect(await database.db.collection('unclaimed_bodies').countDocuments({ _id: bodyId as never })).toBe(1);
    await api.files.removeOrphans(Date.now() + 1, 1_000, async () => false);
    expect(await count('unclaimed_bodies')).toBe(0);
    expect(await contentOf(id)).toBe(content);
  });

  it('is answered for by a repeat, which keeps the answer, when its holder was killed', async () => {
    const { id } = await upload();
    await claims().updateOne({ workId: id }, { $set: { answer: null, leaseUntil: api.clock.now() + 60_000 } });
    const looks = countLooks();
    const waiting = upload();
    await expect.poll(looks).toBeGreaterThan(1);
    await claims().updateOne({ workId: id }, { $set: { leaseUntil: 0 } });
    expect((await waiting).id).toBe(id);
    expect(await claims().findOne({ workId: id })).toMatchObject({ answer: { status: 200 } });
  });
});
