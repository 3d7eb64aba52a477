import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Collection, MongoNetworkError } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createBatchWorld, DAY_MS, OWNER, type BatchWorld } from '../support/batch-world.ts';
import { openTestDatabase, type TestDatabase } from '../support/mongodb.ts';

let database: TestDatabase;
let world: BatchWorld;
beforeAll(async () => {
  database = await openTestDatabase();
  world = await createBatchWorld(database);
});
afterAll(() => database.release());

const storedPieces = (bodyId: string): Promise<number> =>
  database.db.collection('bodies.chunks').countDocuments({ files_id: bodyId });

async function* stream(bytes: Buffer, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function readRange(bodyId: string, start?: number, end?: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of world.files.bytes.read(bodyId, start, end)) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe('bytes of files', () => {
  const content = Buffer.from(Array.from({ length: 700_000 }, (_, index) => index % 251));

  it.each([1000, 65_536, 700_000])(
    'gives back what was stored in pieces of %i bytes, counted and hashed',
    async (size) => {
      const written = await world.files.bytes.write(`body-${size}`, stream(content, size));
      expect(written).toEqual({ bytes: 700_000, sha256: createHash('sha256').update(content).digest('hex') });
      expect((await readRange(`body-${size}`)).equals(content)).toBe(true);
    },
  );

  it.each([
    [0, 1],
    [261_119, 261_121],
    [261_120, 522_240],
    [699_999, 700_000],
    [10, 10],
    [100, 9_000_000],
  ])('reads the range from %i to %i', async (start, end) => {
    expect((await readRange('body-65536', start, end)).equals(content.subarray(start, end))).toBe(true);
  });

  it('reads on when the database was away for a moment', async () => {
    const read = world.files.bytes.read('body-65536');
    const first = (await read.next()).value ?? Buffer.alloc(0);
    vi.spyOn(Collection.prototype, 'findOne').mockRejectedValueOnce(new MongoNetworkError('gone'));
    const pieces = [first];
    for await (const piece of read) pieces.push(piece);
    expect(Buffer.concat(pieces).equals(content)).toBe(true);
  });

  it('removes what was stored of a stream that breaks, and throws its error', async () => {
    async function* breaking(): AsyncGenerator<Uint8Array, void, undefined> {
      yield content;
      throw new Error('the line went dead');
    }
    await expect(world.files.bytes.write('broken', breaking())).rejects.toThrow('the line went dead');
    expect(await storedPieces('broken')).toBe(0);
    await expect(readRange('broken')).rejects.toThrow('gone');
  });

  it.each([
    ['the last piece', 'bodies.chunks', { files_id: 'refused', n: 2 }],
    ['the end', 'bodies.files', { _id: 'refused' as never, length: 0, chunkSize: 261_120 }],
  ])('throws what the database says to %s, and leaves nothing', async (_, collection, inTheWay) => {
    await database.db.collection(collection).insertOne(inTheWay);
    await expect(world.files.bytes.write('refused', stream(content, 65_536))).rejects.toThrow('duplicate key');
    expect(await storedPieces('refused')).toBe(0);
    expect(await world.files.bytes.has('refused')).toBe(false);
  });

  it('leaves no piece of a large buffer behind that was on its way when another failed', async () => {
    const insertOne = Reflect.get(Collection.prototype, 'insertOne') as (...given: unknown[]) => Promise<unknown>;
    const onTheirWay: Promise<unknown>[] = [];
    vi.spyOn(Collection.prototype, 'insertOne').mockImplementation(function (this: Collection, ...given: unknown[]) {
      if (this.collectionName !== 'bodies.chunks') return insertOne.apply(this, given) as never;
      const [{ n }] = given as [{ n: number }];
      if (n === 0) return Promise.reject(new MongoNetworkError('gone'));
      const late = sleep(200).then(() => insertOne.apply(this, given));
      onTheirWay.push(late);
      return late as never;
    });
    await expect(world.files.bytes.write('torn', stream(content, 700_000))).rejects.toThrow('gone');
    await Promise.all(onTheirWay);
    expect(await storedPieces('torn')).toBe(0);
  });

  it('removes bytes, also twice', async () => {
    await world.files.bytes.write('removed', stream(content, 65_536));
    expect(await storedPieces('removed')).toBe(3);
    await world.files.bytes.remove('removed');
    await world.files.bytes.remove('removed');
    expect(await storedPieces('removed')).toBe(0);
  });
});

describe('files', () => {
  it('shows a file to its owner alone, and only until it expires', async () => {
    const file = await world.putFile('x');
    const now = world.clock.now();
    expect(await world.files.findOwned(OWNER, file._id, now)).toMatchObject({ _id: file._id });
    expect(await world.files.findOwned('key_other', file._id, now)).toBeNull();
    expect(await world.files.findOwned(OWNER, file._id, file.expiresAt - 1)).not.toBeNull();
    expect(await world.files.findOwned(OWNER, file._id, file.expiresAt)).toBeNull();
  });

  it('keeps the first of two documents with one id', async () => {
    const file = await world.putFile('x');
    expect(await world.files.insertOnce({ ...file, bodyId: 'other', filename: 'second.jsonl' })).toBe(false);
    expect(await world.files.find(file._id)).toMatchObject({ filename: 'input.jsonl' });
  });

  it.each(['asc', 'desc'] as const)(
    'pages %s over files of one moment without leaving out or repeating any',
    async (order) => {
      const ownerId = `key_${order}`;
      const put: string[] = [];
      for (let index = 0; index < 7; index++) {
        if (index === 4) world.clock.advance(1);
        put.push((await world.putFile('x', { ownerId }))._id);
      }
      const seen: string[] = [];
      for (let more = true; more;) {
        const last = seen.at(-1);
        const after = last === undefined ? null : await world.files.findPlace(ownerId, last);
        const page = await world.files.list(ownerId, world.clock.now(), { limit: 2, order, after, purpose: null });
        seen.push(...page.items.map(({ _id }) => _id));
        more = page.hasMore;
      }
      expect(seen.toSorted()).toEqual(put.toSorted());
      expect(new Set(seen.slice(order === 'asc' ? 4 : 0, order === 'asc' ? 7 : 3))).toEqual(new Set(put.slice(4)));
    },
  );

  it('lets one of two deletes at once have the file', async () => {
    const file = await world.putFile('x');
    const deleted = await Promise.all([1, 2].map(() => world.files.markDeleted(OWNER, file._id, world.clock.now())));
    expect(deleted.filter((found) => found !== null)).toHaveLength(1);
  });

  it('lists for removal what is past its end or deleted, until its bytes are gone', async () => {
    const expired = await world.putFile('x', { expiresAt: world.clock.now() - DAY_MS });
    const ids = async (): Promise<string[]> =>
      (await world.files.listRemovable(world.clock.now(), 100)).map(({ _id }) => _id);
    expect(await ids()).toContain(expired._id);
    await world.files.removeBytes(expired);
    expect(await ids()).not.toContain(expired._id);
    expect(await storedPieces(expired.bodyId)).toBe(0);
  });
});
